/** Plots as SVG, in the colours of the page around them. */
import type { Share } from '../metrics.ts';
import { element, escapeMarkup, text } from './markup.ts';

interface PlotPoint extends Share {
  /** Index among the plot's `xs`. */
  readonly x: number;
}

export interface PlotSeries {
  readonly name: string;
  readonly points: readonly PlotPoint[];
}

export interface Plot {
  readonly xName: string;
  readonly xs: readonly { readonly label: string }[];
  readonly yName: string;
  readonly series: readonly PlotSeries[];
  /** A line across: what a figure is to be measured against. */
  readonly reference?: { readonly name: string; readonly value: number };
  /** `lines`: figures from left to right, joined. `intervals`: a row for each x and series, about a line at 0. */
  readonly kind: 'lines' | 'intervals';
}

/** Of a plot, in its own units; the page scales it. */
const width = 460;
const plotHeight = 300;
const margin = { left: 50, right: 12, top: 12, bottom: 44 };
/** Series that can be told apart by colour and shape. */
export const mostSeries = 10;

/** What a point says, as text. */
export function pointLabel({ value, low, high }: Share, { kind }: Pick<Plot, 'kind'>): string {
  const format = (number: number): string => (kind === 'intervals' ? signedText(number) : number.toFixed(2));
  return Number.isFinite(low) && Number.isFinite(high)
    ? `${format(value)} (${format(low)} to ${format(high)})`
    : format(value);
}

function signedText(value: number): string {
  const size = Math.abs(value).toFixed(2);
  return Number(size) === 0 ? '0.00' : `${value < 0 ? '−' : '+'}${size}`;
}

export function svgPlot(plot: Plot, label: string): string {
  return plot.kind === 'lines' ? linesPlot(plot, label) : intervalsPlot(plot, label);
}

function linesPlot(plot: Plot, label: string): string {
  const { xs, series, reference, xName, yName } = plot;
  const ends = series.flatMap(({ points }) => points.flatMap(({ value, low, high }) => [value, low, high]));
  const { low, high, ticks, decimals } = axisOf([...ends, ...(reference ? [reference.value] : [])]);
  const [left, right] = [margin.left, width - margin.right];
  const [top, bottom] = [margin.top, plotHeight - margin.bottom];
  const gap = (right - left) / xs.length;
  const yOf = (value: number): number => bottom - ((clamp(value, low, high) - low) / (high - low)) * (bottom - top);
  // Side by side within a place, so that intervals do not cover one another.
  const shift = Math.min(7, (gap * 0.7) / Math.max(1, series.length));
  const xOf = (x: number, s: number): number => left + gap * (x + 0.5) + (s - (series.length - 1) / 2) * shift;
  const parts = [
    ...ticks.map((tick) => gridLine(left, right, yOf(tick), tick.toFixed(decimals))),
    ...xs.map(({ label: name }, i) =>
      text(name, { x: left + gap * (i + 0.5), y: bottom + 17, class: 'tick', 'text-anchor': 'middle' }),
    ),
    text(xName, { x: (left + right) / 2, y: plotHeight - 8, class: 'axis', 'text-anchor': 'middle' }),
    text(yName, {
      x: 11,
      y: (top + bottom) / 2,
      class: 'axis',
      'text-anchor': 'middle',
      transform: `rotate(-90 11 ${(top + bottom) / 2})`,
    }),
  ];
  if (reference) {
    const y = yOf(reference.value);
    parts.push(
      element('line', { x1: left, x2: right, y1: y, y2: y, class: 'reference' }),
      text(reference.name, { x: right - 2, y: y - 4, class: 'tick', 'text-anchor': 'end' }),
    );
  }
  series.forEach(({ name, points }, s) => {
    const line = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${round(xOf(point.x, s))} ${round(yOf(point.value))}`);
    const drawn = points.map((point) => {
      const x = xOf(point.x, s);
      const bar = Number.isFinite(point.low)
        ? element('line', { x1: x, x2: x, y1: yOf(point.low), y2: yOf(point.high), class: 'bar' })
        : '';
      const title = `${name}, ${xs[point.x]!.label}: ${pointLabel(point, plot)}`;
      return element(
        'g',
        {},
        [element('title', {}, escapeMarkup(title)), bar, marker(s, x, yOf(point.value))].join(''),
      );
    });
    const joined = points.length > 1 ? element('path', { d: line.join(' '), class: 'line' }) : '';
    parts.push(element('g', { class: `series s${s % mostSeries}` }, joined + drawn.join('')));
  });
  return svg(plotHeight, label, parts);
}

/** A row each; where there is one series, the rows have no colours to be told apart by. */
function intervalsPlot(plot: Plot, label: string): string {
  const { xs, series, xName } = plot;
  const rows = xs.flatMap((_x, i) =>
    series.flatMap(({ name, points }, s) => points.filter(({ x }) => x === i).map((point) => ({ name, s, point }))),
  );
  const labels = rows.map(({ name, point }) =>
    series.length > 1 ? `${xs[point.x]!.label} · ${name}` : xs[point.x]!.label,
  );
  const left = Math.min(210, 16 + 6.4 * Math.max(4, ...labels.map(({ length }) => length)));
  // Half of the last number stands beyond the axis.
  const right = width - margin.right - 12;
  const rowHeight = 24;
  const top = 8;
  const bottom = top + rowHeight * rows.length;
  const { low, high, ticks } = axisOf([0, ...rows.flatMap(({ point }) => [point.low, point.high, point.value])]);
  const xOf = (value: number): number => left + ((clamp(value, low, high) - low) / (high - low)) * (right - left);
  const parts = [
    ...ticks.map((tick) =>
      [
        element('line', {
          x1: xOf(tick),
          x2: xOf(tick),
          y1: top,
          y2: bottom,
          class: Math.abs(tick) < 1e-9 ? 'zero' : 'grid',
        }),
        text(signedText(tick), { x: xOf(tick), y: bottom + 16, class: 'tick', 'text-anchor': 'middle' }),
      ].join(''),
    ),
    text(xName, { x: (left + right) / 2, y: bottom + 34, class: 'axis', 'text-anchor': 'middle' }),
    ...rows.map(({ name, s, point }, row) => {
      const y = top + rowHeight * (row + 0.5);
      const title = `${xs[point.x]!.label}, ${name}: ${pointLabel(point, plot)}`;
      return element(
        'g',
        { class: `series s${s % mostSeries}` },
        [
          element('title', {}, escapeMarkup(title)),
          text(labels[row]!, { x: left - 8, y: y + 4, class: 'tick', 'text-anchor': 'end' }),
          element('line', { x1: xOf(point.low), x2: xOf(point.high), y1: y, y2: y, class: 'bar' }),
          marker(s, xOf(point.value), y),
        ].join(''),
      );
    }),
  ];
  return svg(bottom + 42, label, parts);
}

function svg(height: number, label: string, parts: readonly string[]): string {
  return element(
    'svg',
    { viewBox: `0 0 ${width} ${round(height)}`, role: 'img', 'aria-label': label, xmlns: 'http://www.w3.org/2000/svg' },
    parts.join(''),
  );
}

function gridLine(left: number, right: number, y: number, label: string): string {
  return (
    element('line', { x1: left, x2: right, y1: y, y2: y, class: 'grid' }) +
    text(label, { x: left - 6, y: y + 4, class: 'tick', 'text-anchor': 'end' })
  );
}

/** The sign of a series, for plots and for legends: another shape for each of five, open from the sixth on. */
export function marker(series: number, x: number, y: number): string {
  const [r, isOpen] = [4, series % mostSeries >= 5];
  const points = (all: readonly (readonly [number, number])[]): string =>
    all.map(([dx, dy]) => `${round(x + dx * r)},${round(y + dy * r)}`).join(' ');
  const shared = { class: isOpen ? 'mark open' : 'mark' };
  switch (series % 5) {
    case 0:
      return element('circle', { ...shared, cx: x, cy: y, r });
    case 1:
      return element('rect', { ...shared, x: x - 3.5, y: y - 3.5, width: 7, height: 7 });
    case 2:
      return element('polygon', {
        ...shared,
        points: points([
          [0, -1.2],
          [1.1, 0.9],
          [-1.1, 0.9],
        ]),
      });
    case 3:
      return element('polygon', {
        ...shared,
        points: points([
          [0, -1.3],
          [1.3, 0],
          [0, 1.3],
          [-1.3, 0],
        ]),
      });
    default:
      return element('polygon', {
        ...shared,
        points: points([
          [-1.1, -0.9],
          [1.1, -0.9],
          [0, 1.2],
        ]),
      });
  }
}

/** Ends of an axis that hold all values, with steps that a person would choose. */
function axisOf(values: readonly number[]): {
  readonly low: number;
  readonly high: number;
  readonly ticks: number[];
  /** That tell two ticks apart. */
  readonly decimals: number;
} {
  const finite = values.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const span = Math.max(most - least, 0.05);
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((one) => span / one <= 6) ?? span / 5;
  const low = Math.floor(least / step + 1e-9) * step;
  const high = Math.max(low + step, Math.ceil(most / step - 1e-9) * step);
  const count = Math.round((high - low) / step);
  const decimals = step < 0.1 ? 2 : 1;
  return { low, high, decimals, ticks: Array.from({ length: count + 1 }, (_, i) => low + i * step) };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
