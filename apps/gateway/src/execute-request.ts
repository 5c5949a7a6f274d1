/** The edge of POST /v1/sandbox/execute: the shape of a body. What its fields may hold is the sandbox's to say. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidInput } from '@crucible/foundation';
import type { ExecuteRequestSchema } from '@crucible/protos/sandbox/v1';
import { z } from 'zod';
import { wholeNumber, wrongBody } from './body-schema.ts';

const text = z.string('a string');
const flag = z.boolean('true or false');

const file = z.strictObject(
  { path: text, content: text.optional(), content_base64: z.base64('base64').optional() },
  'an object of path, and content or content_base64,',
);

/** Unsigned numbers of the wire; the sandbox knows the limits of each. */
const number = wholeNumber(0, 4_294_967_295).optional();

const bodySchema = z.strictObject({
  code: text,
  id: text.optional(),
  args: z.array(text, 'a list of strings').optional(),
  stdin: text.optional(),
  files: z.array(file, 'a list of files').optional(),
  expression: text.optional(),
  last_value: flag.optional(),
  collect_files: flag.optional(),
  limits: z
    .strictObject(
      {
        wall_ms: number,
        cpu_ms: number,
        memory_bytes: wholeNumber(0).optional(),
        processes: number,
        output_bytes: number,
        disk_bytes: number,
        files: number,
      },
      'an object',
    )
    .optional(),
  stream: flag.optional(),
});

export interface ExecuteBody {
  readonly request: MessageInitShape<typeof ExecuteRequestSchema>;
  readonly stream: boolean;
}

export function parseExecuteBody(body: unknown): ExecuteBody {
  const parsed = bodySchema.safeParse(body, { reportInput: true });
  if (!parsed.success) throw wrongBody(parsed.error);
  const given = parsed.data;
  if (given.expression !== undefined && given.last_value === true)
    throw invalidInput('expression is only allowed without last_value: one value is returned', { at: 'expression' });
  const limits =
    given.limits &&
    withoutUndefined({
      wallMs: given.limits.wall_ms,
      cpuMs: given.limits.cpu_ms,
      memoryBytes: given.limits.memory_bytes === undefined ? undefined : BigInt(given.limits.memory_bytes),
      processes: given.limits.processes,
      outputBytes: given.limits.output_bytes,
      diskBytes: given.limits.disk_bytes,
      files: given.limits.files,
    });
  return {
    request: {
      code: given.code,
      runId: given.id ?? '',
      args: given.args ?? [],
      stdin: Buffer.from(given.stdin ?? ''),
      files: (given.files ?? []).map(fileFrom),
      collectFiles: given.collect_files ?? false,
      ...(given.expression !== undefined && { value: { case: 'expression', value: given.expression } }),
      ...(given.last_value === true && { value: { case: 'lastValue', value: true } }),
      ...(limits && { limits }),
    },
    stream: given.stream ?? false,
  };
}

function fileFrom({ path, content, content_base64: encoded }: z.infer<typeof file>, i: number) {
  if ((content === undefined) === (encoded === undefined)) {
    const at = `files[${i}].content`;
    throw invalidInput(`${at}: either content, which is text, or content_base64 is needed`, { at });
  }
  return { path, content: encoded === undefined ? Buffer.from(content!) : Buffer.from(encoded, 'base64') };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(given: T): Defined<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<T>;
}
