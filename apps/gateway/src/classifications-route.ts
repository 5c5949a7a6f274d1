/** POST /v1/classifications: which label fits each text, by a model that was tuned for labels. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { PolicyService } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import { wrongBody } from './body-schema.ts';
import { readJson } from './read-json.ts';

const deadlineMs = 300_000;
const text = z.string('a string');
const input = z.union(
  [text, z.strictObject({ text, pair: text.optional() })],
  'a string, or an object of text and pair,',
);

const bodySchema = z.strictObject({
  model: text,
  input: z.union([text, z.array(input)], 'a string, or a list of strings or objects of text and pair,'),
});

export function createClassificationsRoute(
  policy: Client<typeof PolicyService>,
): (context: Context) => Promise<Response> {
  return async (context) => {
    const parsed = bodySchema.safeParse(await readJson(context), { reportInput: true });
    if (!parsed.success) throw wrongBody(parsed.error);
    const { model, input: given } = parsed.data;
    const inputs = (Array.isArray(given) ? given : [given]).map((one) =>
      typeof one === 'string' ? { text: one } : one,
    );
    const { labels, classifications, version } = await policy.classify(
      {
        model,
        inputs: inputs.map(({ text: first, pair }) => ({ text: first, ...(pair !== undefined && { pair }) })),
      },
      { signal: context.req.raw.signal, deadlineMs },
    );
    return context.json({
      object: 'list',
      model,
      version,
      data: classifications.map(({ label, probabilities }, index) => ({
        object: 'classification',
        index,
        label,
        probabilities: Object.fromEntries(labels.map((name, i) => [name, probabilities[i]])),
      })),
    });
  };
}
