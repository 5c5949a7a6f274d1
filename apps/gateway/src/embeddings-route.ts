/** POST /v1/embeddings: texts as vectors, by the embedder of a collection. */
import type { Context } from 'hono';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { z } from 'zod';
import { type RetrieverService, TextKind } from '@crucible/protos/retriever/v1';
import type { Client } from '@crucible/rpc';
import type { GatewayEnv } from './access.ts';
import { someText, text, wholeNumber, wrongBody } from './body-schema.ts';
import { readJson } from './read-json.ts';

const deadlineMs = 300_000;
const mostTexts = 2048;
const mostCharacters = 65_536;
const inputAllowed = `a string that is not empty, or a list of 1 to ${mostTexts} of them,`;
const kinds = { passage: TextKind.PASSAGE, query: TextKind.QUERY } as const;

const bodySchema = z.strictObject({
  /** A collection that has an embedder. */
  model: someText,
  input: z.union([someText, z.array(someText).min(1, inputAllowed).max(mostTexts, inputAllowed)], inputAllowed),
  encoding_format: z.enum(['float', 'base64'], '"float" or "base64"').nullish(),
  dimensions: wholeNumber(1, 65_536).nullish(),
  user: text.nullish(),
  /** Ours: some encoders want to be told. */
  input_type: z.enum(['passage', 'query'], '"passage" or "query"').nullish(),
});

export function createEmbeddingsRoute(
  retriever: Client<typeof RetrieverService>,
): (context: Context<GatewayEnv>) => Promise<Response> {
  return async (context) => {
    const parsed = bodySchema.safeParse(await readJson(context), { reportInput: true });
    if (!parsed.success) throw wrongBody(parsed.error);
    const { model, input, encoding_format: encoding, dimensions, input_type: kind } = parsed.data;
    const texts = typeof input === 'string' ? [input] : input;
    for (const [i, { length }] of texts.entries())
      if (length > mostCharacters) {
        const at = typeof input === 'string' ? 'input' : `input[${i}]`;
        throw invalidInput(`${at}: it has ${length} characters; ${mostCharacters} are allowed`, { at });
      }
    const pieces = retriever.embed(
      {
        collection: model,
        texts,
        kind: kinds[kind ?? 'passage'],
        dimensions: dimensions ?? 0,
      },
      { signal: context.req.raw.signal, deadlineMs },
    );
    const data: object[] = [];
    let embedder = '';
    let tokens = 0;
    try {
      for await (const piece of pieces) {
        for (const { values } of piece.vectors)
          data.push({
            object: 'embedding',
            index: data.length,
            embedding: encoding === 'base64' ? base64Of(values) : values,
          });
        ({ embedder } = piece);
        tokens += piece.tokens;
      }
    } catch (reason) {
      throw namedHere(CrucibleError.from(reason));
    }
    context.get('caller').spendTokens(tokens);
    return context.json({
      object: 'list',
      model,
      // Ours: vectors of one embedder compare with each other alone.
      embedder,
      data,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  };
}

/** What is a collection there is a model here; that it has no embedder does not pass by waiting. */
function namedHere(error: CrucibleError): CrucibleError {
  if (error.at !== 'collection') return error;
  const code = error.code === 'failed-precondition' ? 'invalid-input' : error.code;
  return new CrucibleError(code, `model: ${error.message}`, { at: 'model' });
}

/** 32-bit floats, the least byte first. */
function base64Of(values: readonly number[]): string {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeFloatLE(value, 4 * i));
  return bytes.toString('base64');
}
