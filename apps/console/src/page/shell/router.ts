/** Which page is open, by the address: a path for the page, the query for what it shows. */
import { Store } from '../store.ts';

export const pages = ['chat', 'knowledge', 'forge', 'runs'] as const;

export type Page = (typeof pages)[number];

export interface Place {
  /** Undefined: there is no such page. */
  readonly page: Page | undefined;
  readonly query: Readonly<Record<string, string>>;
}

export function placeFrom(address: string): Place {
  const { pathname, searchParams } = new URL(address, 'http://console.invalid');
  const name = pathname.replace(/^\/|\/$/g, '');
  const page = name === '' ? 'chat' : pages.find((each) => each === name && each !== 'chat');
  return { page, query: Object.fromEntries(searchParams) };
}

/** Fields without a value are left out. */
export function addressOf(page: Page, query: Readonly<Record<string, string | number | undefined>> = {}): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  const search = new URLSearchParams(given).toString();
  return `/${page === 'chat' ? '' : page}${search === '' ? '' : `?${search}`}`;
}

export const place = new Store<Place>({ page: 'chat', query: {} });

/** Reads the address, and follows it. */
export function startRouter(): void {
  const read = (): void => place.set(placeFrom(location.href));
  read();
  addEventListener('popstate', read);
}

export function navigate(address: string): void {
  history.pushState(null, '', address);
  place.set(placeFrom(address));
}

/** The address follows what is shown, without a step back to what was shown before. */
export function replaceAddress(address: string): void {
  if (address === location.pathname + location.search) return;
  history.replaceState(null, '', address);
  place.set(placeFrom(address));
}
