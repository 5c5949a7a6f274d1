import type { Context } from 'hono';
import { invalidInput } from '@crucible/foundation';

/** `?limit=` and `?after=` of a list; limit 0 is the server's default. */
export function pageOf(context: Context, most: number): { readonly limit: number; readonly after: string } {
  const given = context.req.query('limit') ?? '0';
  const limit = Number(given);
  if (given.trim() === '' || !Number.isInteger(limit) || limit < 0 || limit > most)
    throw invalidInput(`limit: ${JSON.stringify(given)} is given; a whole number from 1 to ${most} is allowed`, {
      at: 'limit',
    });
  return { limit, after: context.req.query('after') ?? '' };
}
