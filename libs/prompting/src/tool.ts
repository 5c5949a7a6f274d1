/** What a model may do, other than write. */
import { z } from 'zod';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ToolDescription } from './chat-model.ts';
import type { Passage } from './retriever.ts';

/** A PNG that is kept with the run. */
export interface Picture {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** How many. */
  readonly bytes: number;
}

export interface ToolResult {
  readonly text: string;
  /** What the text was taken from, for the trace. */
  readonly passages?: readonly Passage[];
  /** For people who read the trace: models here read text. */
  readonly pictures?: readonly Picture[];
}

export interface Tool extends ToolDescription {
  /** `input` fits `parameters`. What it throws is shown to the model, but for cancelling. */
  readonly run: (
    input: Readonly<Record<string, unknown>>,
    options: { readonly signal: AbortSignal },
  ) => Promise<ToolResult>;
}

/** Ends a run: it is always there, and no tool may have its name. */
export const finishName = 'finish';

/** Tools by their names; case does not matter, as the authors of ReAct write both `Search[]` and `search[]`. */
export class Toolbox {
  readonly tools: readonly Tool[];
  readonly #byName = new Map<string, { readonly tool: Tool; readonly schema: z.ZodType }>();

  constructor(tools: readonly Tool[]) {
    this.tools = tools;
    for (const tool of tools) {
      const at = `tools.${tool.name}`;
      const key = tool.name.toLowerCase();
      if (!/^[\p{L}_][\p{L}\d_.-]{0,63}$/u.test(tool.name))
        throw invalidInput(`${at}: a name is a letter and up to 63 letters, digits, "_", "-" and "."`, { at });
      if (key === finishName) throw invalidInput(`${at}: the name is taken by the action that ends a run`, { at });
      if (this.#byName.has(key)) throw invalidInput(`${at}: two tools have this name`, { at });
      this.#byName.set(key, { tool, schema: schemaOf(tool, at) });
    }
  }

  find(name: string): Tool | undefined {
    return this.#byName.get(name.toLowerCase())?.tool;
  }

  /** The input that arguments come to, checked; throws `invalid-input` with a message for the model. */
  input(tool: Tool, given: string | Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const value = typeof given === 'string' ? inputFromText(tool, given) : given;
    const parsed = this.#byName.get(tool.name.toLowerCase())!.schema.safeParse(value);
    if (parsed.success) return parsed.data as Readonly<Record<string, unknown>>;
    const [issue] = parsed.error.issues;
    const at = issue!.path.join('.');
    throw invalidInput(`${tool.name}: ${at === '' ? '' : `${at}: `}${issue!.message}`, { at: tool.name });
  }
}

/** The parameters of a tool, those that are required first. */
export function parametersOf({ parameters }: ToolDescription): {
  readonly names: readonly string[];
  readonly required: readonly string[];
} {
  const names = Object.keys(parameters['properties'] ?? {});
  const required = (parameters['required'] ?? []) as readonly string[];
  return { names: [...required, ...names.filter((name) => !required.includes(name))], required };
}

/** `Search[title]` writes the one argument bare. A tool of several takes JSON between the brackets. */
function inputFromText(tool: Tool, text: string): Record<string, unknown> {
  const { names, required } = parametersOf(tool);
  const only = required.length === 1 ? required[0] : names.length === 1 ? names[0] : undefined;
  const json = jsonObject(text);
  if (json !== undefined && (only === undefined || Object.keys(json).every((key) => names.includes(key)))) return json;
  if (only !== undefined) return { [only]: typed(tool, only, text) };
  if (names.length === 0 && text.trim() === '') return {};
  throw invalidInput(`${tool.name}: its argument must be a JSON object with ${names.join(', ')}`, { at: tool.name });
}

/** Bare text stands for a number or a truth value where the schema wants one. */
function typed(tool: Tool, name: string, text: string): unknown {
  const { type } = ((tool.parameters['properties'] ?? {}) as Record<string, { type?: unknown }>)[name] ?? {};
  if (type === undefined || type === 'string') return unquoted(text);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function unquoted(text: string): string {
  const trimmed = text.trim();
  return /^"[^"]*"$|^'[^']*'$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed;
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function schemaOf(tool: Tool, at: string): z.ZodType {
  if (tool.parameters['type'] !== 'object')
    throw invalidInput(`${at}: parameters must be a JSON Schema of type object`, { at });
  try {
    return z.fromJSONSchema(tool.parameters);
  } catch (reason) {
    throw new CrucibleError(
      'invalid-input',
      `${at}: parameters are no JSON Schema that can be checked: ${(reason as Error).message}`,
      { at, cause: reason },
    );
  }
}
