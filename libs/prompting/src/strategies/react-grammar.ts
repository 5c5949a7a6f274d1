/**
 * One turn of ReAct as models write it, in three dialects: `Action 1: Search[entity]` (the paper), `Action: search` and
 * `Action Input: …` (MRKL), and JSON (`Action Input: {…}`, `{"name": …, "arguments": …}`, <tool_call>). Everything that
 * comes after the first action is dropped: the model has made up what it would observe.
 */

export interface Turn {
  readonly thought: string;
  /** What is to be done. */
  readonly action?: { readonly name: string; readonly argument: string | Readonly<Record<string, unknown>> };
  /** The answer, where the turn ends the run. */
  readonly finish?: string;
  /** The text up to the end of the action: what the conversation keeps. */
  readonly kept: string;
}

const label =
  /^[ \t>*#_]*(thought|action input|action|observation|final answer|answer)[ \t]*\d*[*_]*[ \t]*:[*_]*[ \t]*/gim;

interface Segment {
  readonly label: string;
  readonly text: string;
  readonly end: number;
}

export function parseTurn(text: string): Turn {
  const { before, segments } = segmentsOf(text);
  const thoughts = [before];
  for (const [i, segment] of segments.entries()) {
    const thought = (): string =>
      thoughts
        .map((each) => each.trim())
        .filter((each) => each !== '')
        .join(' ');
    switch (segment.label) {
      case 'thought':
        thoughts.push(segment.text);
        break;
      case 'answer':
      case 'final answer': {
        const answer = unfenced(segment.text);
        if (answer !== '') return { thought: thought(), finish: answer, kept: text.slice(0, segment.end).trim() };
        break;
      }
      case 'action': {
        const next = segments[i + 1];
        const isNamed = next?.label === 'action input';
        const done = isNamed ? namedAction(segment.text, next.text) : actionIn(segment.text);
        if (done === undefined) break;
        const end = isNamed ? next.end : segment.end - segment.text.length + done.length;
        return { ...turnOf(thought(), done), kept: text.slice(0, end).trim() };
      }
      case 'observation':
        // What follows has been made up.
        return unlabelled(text.slice(0, segment.end - segment.text.length), thought());
    }
  }
  return unlabelled(
    text,
    thoughts
      .map((each) => each.trim())
      .filter((each) => each !== '')
      .join(' '),
  );
}

interface Done {
  readonly name: string;
  readonly argument: string | Readonly<Record<string, unknown>>;
  /** Characters of the text that it takes. */
  readonly length: number;
}

function turnOf(thought: string, { name, argument }: Done): Omit<Turn, 'kept'> {
  if (name.toLowerCase() !== 'finish') return { thought, action: { name, argument } };
  const answer = typeof argument === 'string' ? argument : Object.values(argument)[0];
  return { thought, finish: typeof answer === 'string' ? answer.trim() : JSON.stringify(answer ?? '') };
}

function segmentsOf(text: string): { readonly before: string; readonly segments: Segment[] } {
  const matches = [...text.matchAll(label)];
  const segments = matches.map((match, i): Segment => {
    const end = matches[i + 1]?.index ?? text.length;
    return { label: match[1]!.toLowerCase(), text: text.slice(match.index + match[0].length, end), end };
  });
  return { before: text.slice(0, matches[0]?.index ?? text.length), segments };
}

/** Without labels: a call in JSON, or a last line that is an action. */
function unlabelled(text: string, thought: string): Turn {
  const opening = /<tool_call>|```(?:json|tool_call)?\s*\n?(?=\s*\{)|^\s*(?=\{)/m.exec(text);
  if (opening !== null) {
    const start = opening.index + opening[0].length;
    const call = callInJson(text.slice(start));
    if (call !== undefined) {
      const said = thought.includes('{') ? text.slice(0, opening.index).trim() : thought;
      return { ...turnOf(said, call), kept: text.slice(0, start + call.length).trim() };
    }
  }
  const lines = text.trimEnd().split('\n');
  const last = lines.at(-1)!;
  if (/^\s*[`*]*[\p{L}_][\w.-]*\s*\[.*\][`*.]*\s*$/u.test(last)) {
    const done = actionIn(last);
    if (done !== undefined) return { ...turnOf(lines.slice(0, -1).join('\n').trim(), done), kept: text.trim() };
  }
  return { thought, kept: text.trim() };
}

/** `Search[entity]`, or a call in JSON. */
function actionIn(text: string): Done | undefined {
  const call = callInJson(text);
  if (call !== undefined) return call;
  const opening = /^[\s`*]*([\p{L}_][\p{L}\d_.-]*)[`*]*\s*\[/u.exec(text);
  if (opening === null) return undefined;
  const start = opening[0].length;
  const end = closingBracket(text, start);
  if (end !== undefined) return { name: opening[1]!, argument: text.slice(start, end).trim(), length: end + 1 };
  // Broken off, or cut before the bracket by a stop string: the one line that is there.
  const [line] = /^[^\n]*/.exec(text.slice(start))!;
  return line.trim() === '' ? undefined : { name: opening[1]!, argument: line.trim(), length: start + line.length };
}

/** Where the bracket closes that was opened before `start`: brackets nest, and those in quotes do not count. */
function closingBracket(text: string, start: number): number | undefined {
  let depth = 1;
  let quote: string | undefined;
  for (let i = start; i < text.length; i++) {
    const character = text[i]!;
    if (quote !== undefined) {
      if (character === '\\') i++;
      else if (character === quote || character === '\n') quote = undefined;
    } else if (
      (character === '"' || character === "'") &&
      !/[\p{L}\d]/u.test(text[i - 1] ?? '') &&
      text.includes(character, i + 1)
    )
      quote = character;
    else if (character === '[') depth++;
    else if (character === ']' && --depth === 0) return i;
  }
  const last = text.lastIndexOf(']');
  return last >= start ? last : undefined;
}

/** `Action: name` with `Action Input: …` on its own lines, however many they are. */
function namedAction(action: string, input: string): Done | undefined {
  const name = action
    .trim()
    .replace(/^[`"'*[]+|[`"'*\].,:]+$/g, '')
    .replace(/\(\)$/, '')
    .trim();
  if (name === '' || /^(?:none|n\/a|no action)\b/i.test(name)) return undefined;
  const text = unfenced(input);
  const json = text.startsWith('{') ? parseObject(text) : undefined;
  return { name, argument: json ?? text, length: 0 };
}

const nameKeys = ['name', 'tool', 'tool_name', 'action', 'function'];
const argumentKeys = ['arguments', 'args', 'parameters', 'input', 'action_input', 'tool_input'];

/** `{"name": "search", "arguments": {…}}` and its variants. */
function callInJson(text: string): Done | undefined {
  const start = /^\s*(?:```\w*\s*)?/.exec(text)![0].length;
  if (text[start] !== '{') return undefined;
  const end = closingBrace(text, start);
  const value = end === undefined ? undefined : parseObject(text.slice(start, end + 1));
  if (value === undefined) return undefined;
  const name = nameKeys.map((key) => value[key]).find((each) => typeof each === 'string');
  if (name === undefined) return undefined;
  const given = argumentKeys.map((key) => value[key]).find((each) => each !== undefined) ?? {};
  // Some servers write arguments as a text of JSON.
  const argument =
    typeof given === 'object' && !Array.isArray(given)
      ? (given as Record<string, unknown>)
      : typeof given === 'string'
        ? (parseObject(given) ?? given)
        : JSON.stringify(given);
  return { name, argument, length: end! + 1 };
}

function closingBrace(text: string, start: number): number | undefined {
  let depth = 0;
  let isQuoted = false;
  for (let i = start; i < text.length; i++) {
    const character = text[i]!;
    if (isQuoted) {
      if (character === '\\') i++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return i;
  }
  return undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const end = closingBrace(text, 0);
  try {
    const value = JSON.parse(end === undefined ? text : text.slice(0, end + 1)) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Without a fence around all of it. */
function unfenced(text: string): string {
  return (/^\s*(`{3,})[^\n`]*\n([\s\S]*?)\n?\s*(?:\1\s*)?$/.exec(text)?.[2] ?? text).trim();
}
