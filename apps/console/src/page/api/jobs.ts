/** The trainer's jobs, with the curves that they have drawn and go on drawing. */
import { eventsOf } from './event-stream.ts';
import { ApiError, getJson, postJson, request } from './http.ts';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export type Figures = Readonly<Record<string, number>>;

export interface Job {
  readonly id: string;
  /** `forge`, `pretrain`, … */
  readonly kind: string;
  readonly name: string | null;
  readonly state: JobState;
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  readonly report: Figures | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly models: readonly { readonly name: string; readonly version: number }[];
  /** Seconds since 1970. */
  readonly created: number | null;
  readonly started: number | null;
  readonly finished: number | null;
  readonly last_event: number;
}

export interface Point {
  readonly sequence: number;
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  readonly metrics: Figures;
  readonly message?: string;
}

export function isFinal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

export async function listJobs(signal?: AbortSignal): Promise<readonly Job[]> {
  return (await getJson<{ data: readonly Job[] }>('/v1/jobs', signal)).data;
}

export function getJob(id: string, signal?: AbortSignal): Promise<Job> {
  return getJson(at(id), signal);
}

export async function cancelJob(id: string): Promise<void> {
  await postJson(`${at(id)}/cancel`, {});
}

function at(id: string): string {
  return `/v1/jobs/${encodeURIComponent(id)}`;
}

interface MetricsPage {
  readonly data: readonly Point[];
  /** Of the last event that was looked at. */
  readonly after: number;
  readonly has_more: boolean;
}

type JobEvent =
  | ({ readonly type: 'progress' } & Point)
  | { readonly type: 'state' | 'published' | 'unknown' }
  | { readonly type?: undefined; readonly error?: { readonly message: string } };

/** Something has changed: points that came, or the job's state or models. */
export type JobNews = { readonly points: readonly Point[] } | { readonly changed: true };

/** What has been drawn, at once; then what comes, until the job ends, the signal says so, or the connection breaks off. */
export async function* followJob(id: string, signal: AbortSignal): AsyncGenerator<JobNews, void, undefined> {
  let after = 0;
  for (let hasMore = true; hasMore;) {
    const page = await getJson<MetricsPage>(`${at(id)}/metrics?after=${after}`, signal);
    yield { points: page.data };
    hasMore = page.has_more && page.after > after;
    after = page.after;
  }
  const response = await request(`${at(id)}/events?after=${after}`, { signal });
  for await (const { data } of eventsOf(response)) {
    if (data === '[DONE]') return;
    const event = JSON.parse(data) as JobEvent;
    if (event.type === 'progress') yield { points: [event] };
    else if (event.type === undefined) throw new ApiError(event.error?.message ?? 'The stream of events broke off.', 0);
    else yield { changed: true };
  }
  throw new ApiError('The stream of events broke off.', 0);
}
