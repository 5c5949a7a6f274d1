/**
 * Text by somebody else, that is to be data in a prompt: passages, observations, what programs print. Two things keep
 * it from being anything more.
 *
 * Special tokens: a server may read `<|im_end|>` in a message as the end of the message. (Ours does not: its chat
 * template conceals them. Of other servers nobody knows.) So the shapes of special tokens are broken by a space.
 *
 * Delimiters: whatever sets a text off in a prompt stands at the beginning of a line. `onOneLine` has no lines, and
 * `quoted` begins each with a mark of ours, so that neither can hold a delimiter, whatever it says.
 */

/** `<|…`, `<｜…` (DeepSeek), `[INST]`, `<<SYS>>`, and the bare words that tokenizers have in angle brackets. */
const controls: readonly (readonly [RegExp, string])[] = [
  [/<(?=[|｜])/g, '< '],
  [/(?<=[|｜])>/g, ' >'],
  [
    /<(?=\/?(?:s|bos|eos|pad|unk|mask|cls|sep|start_of_turn|end_of_turn|start_of_image|end_of_utterance|tool_call|tool_response|think)>)/gi,
    '< ',
  ],
  [/\[(?=\/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|CLS|SEP|MASK)\])/g, '[ '],
  [/<(?=<\/?SYS>>)/g, '< '],
];

/** Without the shapes of special tokens; a second time changes nothing. */
export function withoutSpecialTokens(text: string): string {
  return controls.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** As one line: no part of it can begin a line of the prompt. */
export function onOneLine(text: string): string {
  return withoutSpecialTokens(text.replace(/[\s\p{Zl}\p{Zp}\u0085]+/gu, ' ').trim());
}

/** Line by line behind a mark, where lines mean something. */
export function quoted(text: string): string {
  return withoutSpecialTokens(text)
    .split(/\r\n|[\n\r\u0085\u2028\u2029\v\f]/)
    .map((line) => `| ${line}`.trimEnd())
    .join('\n');
}

/** At most so many characters; what is left out is counted. `tail`: keep the end, not the beginning. */
export function shortened(
  text: string,
  most: number,
  { tail = false } = {},
): { readonly text: string; readonly omitted: number } {
  if (text.length <= most) return { text, omitted: 0 };
  // Half of a surrogate pair is no text.
  const kept = (tail ? text.slice(-most) : text.slice(0, most)).replace(
    tail ? /^[\udc00-\udfff]/ : /[\ud800-\udbff]$/,
    '',
  );
  const omitted = text.length - kept.length;
  return {
    text: tail
      ? `… (${omitted} characters before this left out) ${kept}`
      : `${kept} … (${omitted} more characters left out)`,
    omitted,
  };
}
