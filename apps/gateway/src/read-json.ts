import type { Context } from 'hono';
import { invalidInput } from '@crucible/foundation';

/** The body of a request; whatever is no JSON is refused. */
export async function readJson(context: Context): Promise<unknown> {
  const text = await context.req.text();
  try {
    return JSON.parse(text) as unknown;
  } catch (reason) {
    throw invalidInput(`the body is no JSON: ${(reason as Error).message}`, { at: 'body' });
  }
}
