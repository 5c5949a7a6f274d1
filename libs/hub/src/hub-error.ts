import { CrucibleError } from '@crucible/foundation';
import { HubApiError } from '@huggingface/hub';

export interface Asked {
  readonly repo: string;
  readonly revision: string;
  readonly endpoint: string;
  readonly hasToken: boolean;
}

/** Says in words of ours what a hub, or the way to it, answered. */
export function hubError(reason: unknown, { repo, revision, endpoint, hasToken }: Asked, file?: string): CrucibleError {
  if (reason instanceof CrucibleError) return reason;
  const what = file === undefined ? repo : `${repo}/${file}`;
  const told = (code: ConstructorParameters<typeof CrucibleError>[0], message: string): CrucibleError =>
    new CrucibleError(code, message, { at: repo, cause: reason });
  if (reason instanceof HubApiError) {
    const advice = hasToken ? 'the token in HF_TOKEN has no access to it' : 'it may need a token, in HF_TOKEN';
    switch (reason.statusCode) {
      case 401:
        // The hub answers so for what does not exist, too, that nobody may find out.
        return told(
          'unauthenticated',
          `${endpoint} does not give out ${what}: there is no such repository, or ${advice}`,
        );
      case 403:
        return told(
          'permission-denied',
          `${endpoint} does not give out ${what}: ${advice}, or its terms are to be accepted on its page first`,
        );
      case 404:
        return told('not-found', `${endpoint} has no ${what} at revision ${revision}`);
      case 416:
        return told('data-loss', `${endpoint} has less of ${what} than it says`);
      default:
        return told(
          reason.statusCode >= 500 || reason.statusCode === 429 ? 'unavailable' : 'internal',
          `${endpoint} answered ${reason.statusCode} for ${what}`,
        );
    }
  }
  const error = CrucibleError.from(reason);
  const { cause } = reason as { cause?: { code?: string; message?: string } };
  return told(
    'unavailable',
    `${endpoint} cannot be reached for ${what}: ${cause?.code ?? cause?.message ?? error.message}`,
  );
}
