/** Collections of documents. */
import { apiKey, errorFrom, ApiError, getJson, postJson, request, withKey } from './http.ts';

export interface Collection {
  readonly id: string;
  readonly documents: number;
  readonly passages: number;
  readonly embedder: string | null;
}

export interface DocumentInfo {
  readonly id: string;
  readonly source: string;
  readonly title: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Seconds since 1970. */
  readonly created: number;
}

export interface Document extends DocumentInfo {
  /** From `start` on; of long documents a part. */
  readonly text: string;
  readonly text_length: number;
  readonly passages: number;
}

export interface Hit {
  readonly ordinal: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly heading: readonly string[] | string;
  readonly page: number | null;
  readonly document: DocumentInfo;
  readonly score: number;
  /** Stretches of the text that hold the query's words: [start, end). */
  readonly highlights: readonly (readonly [number, number])[];
  readonly also_in: readonly string[];
}

export interface SearchResult {
  readonly confidence: number;
  readonly data: readonly Hit[];
}

export interface UploadResult {
  readonly unchanged: boolean;
  readonly documents: readonly DocumentInfo[];
  readonly passages: number;
  readonly failures: readonly { readonly at: string; readonly message: string }[];
}

export interface DocumentPage {
  readonly data: readonly DocumentInfo[];
  readonly after: string | null;
}

const root = '/v1/knowledge';

function at(collection: string, ...rest: readonly string[]): string {
  return [root, ...[collection, ...rest].map(encodeURIComponent)].join('/');
}

export async function listCollections(signal?: AbortSignal): Promise<readonly Collection[]> {
  return (await getJson<{ data: readonly Collection[] }>(root, signal)).data;
}

export function listDocuments(collection: string, after: string, signal?: AbortSignal): Promise<DocumentPage> {
  const query = new URLSearchParams({ limit: '50', ...(after !== '' && { after }) });
  return getJson(`${at(collection, 'documents')}?${query}`, signal);
}

/** Characters [start, end) of the text; a part of what is longer than the gateway gives at once. */
export function getDocument(
  collection: string,
  id: string,
  range: { readonly start: number; readonly end: number },
  signal?: AbortSignal,
): Promise<Document> {
  const query = new URLSearchParams({ start: String(range.start), end: String(range.end) });
  return getJson(`${at(collection, 'documents', id)}?${query}`, signal);
}

export function searchCollection(collection: string, query: string, signal?: AbortSignal): Promise<SearchResult> {
  return postJson(at(collection, 'search'), { query, limit: 10 }, signal);
}

export async function deleteDocument(collection: string, id: string): Promise<void> {
  await request(at(collection, 'documents', id), { method: 'DELETE' });
}

export async function deleteCollection(collection: string): Promise<void> {
  await request(at(collection), { method: 'DELETE' });
}

/** With progress, which fetch does not tell of; the promise rejects with an AbortError when the signal says so. */
export function uploadSource(
  collection: string,
  name: string,
  file: Blob,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<UploadResult> {
  return new Promise((resolve, reject) => {
    const upload = new XMLHttpRequest();
    const aborted = (): void => reject(new DOMException('The upload was stopped.', 'AbortError'));
    if (signal.aborted) {
      aborted();
      return;
    }
    const stop = (): void => upload.abort();
    signal.addEventListener('abort', stop, { once: true });
    upload.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 1 : loaded / total);
    upload.onabort = aborted;
    upload.onerror = () => reject(new ApiError('The upload broke off: the gateway cannot be reached.', 0));
    upload.onloadend = () => signal.removeEventListener('abort', stop);
    upload.onload = () => {
      if (upload.status >= 200 && upload.status < 300) {
        try {
          resolve(JSON.parse(upload.responseText) as UploadResult);
        } catch {
          reject(new ApiError('The gateway answered with something else than JSON.', upload.status));
        }
      } else reject(errorFrom(upload.status, upload.responseText, upload.getResponseHeader('retry-after')));
    };
    const path = name.split('/').map(encodeURIComponent).join('/');
    upload.open('PUT', `${at(collection)}/sources/${path}`);
    if (apiKey.get() !== '') upload.setRequestHeader('authorization', withKey().get('authorization')!);
    upload.send(file);
  });
}
