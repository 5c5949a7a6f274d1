/** Elements of HTML and SVG as text; whatever comes from outside is escaped. */

export function escapeMarkup(given: string): string {
  return given
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

type Attributes = Readonly<Record<string, string | number>>;

/** `inner` is markup already. */
export function element(name: string, attributes: Attributes, inner = ''): string {
  const all = Object.entries(attributes).map(
    ([key, value]) =>
      ` ${key}="${escapeMarkup(typeof value === 'number' ? String(Math.round(value * 10) / 10) : value)}"`,
  );
  return `<${name}${all.join('')}>${inner}</${name}>`;
}

/** An SVG text. */
export function text(content: string, attributes: Attributes): string {
  return element('text', attributes, escapeMarkup(content));
}
