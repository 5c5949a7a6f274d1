/** Requests to the gateway that served this page, with the user's key where one is needed. */
import { Store } from '../store.ts';

const kept = 'crucible.key';

/** The API key; '': none. Kept as long as the tab. */
export const apiKey = new Store(readKept());

/** The gateway has asked for a key, or for another one. */
export const keyWanted = new Store(false);

export function saveKey(key: string): void {
  try {
    if (key === '') sessionStorage.removeItem(kept);
    else sessionStorage.setItem(kept, key);
  } catch {
    // The key holds until the page is left.
  }
  apiKey.set(key);
  keyWanted.set(false);
}

function readKept(): string {
  try {
    return sessionStorage.getItem(kept) ?? '';
  } catch {
    return '';
  }
}

/** What the gateway answered in the place of what was asked for. */
export class ApiError extends Error {
  /** Of HTTP; 0: there was no answer. */
  readonly status: number;
  /** Seconds after which another try may succeed. */
  readonly retryAfter: number | undefined;

  constructor(message: string, status: number, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

export function isAbort(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'AbortError';
}

export function withKey(headers: HeadersInit = {}): Headers {
  const all = new Headers(headers);
  if (apiKey.get() !== '') all.set('authorization', `Bearer ${apiKey.get()}`);
  return all;
}

/** Throws an ApiError unless the answer is a good one. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: withKey(init.headers), cache: 'no-store', credentials: 'omit' });
  } catch (reason) {
    if (isAbort(reason)) throw reason;
    throw new ApiError('The gateway cannot be reached. Is Crucible still running?', 0);
  }
  if (response.ok) return response;
  throw errorFrom(response.status, await response.text(), response.headers.get('retry-after'));
}

/** Also for who does not use `request`: uploads with progress. */
export function errorFrom(status: number, body: string, retryAfter: string | null): ApiError {
  if (status === 401) keyWanted.set(true);
  const seconds = Number(retryAfter ?? '');
  return new ApiError(
    messageIn(body) ?? `The gateway answered with status ${status}.`,
    status,
    Number.isFinite(seconds) && seconds > 0 ? seconds : undefined,
  );
}

function messageIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown } };
    return typeof error?.message === 'string' && error.message !== '' ? error.message : undefined;
  } catch {
    return undefined;
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function postJson<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
  return (await response.json()) as T;
}
