import { expect, it } from 'vitest';
import { findLastDate } from './dates.ts';

it.each<[string, string | undefined]>([
  ['1966-07-16', '1966-07-16'],
  ['He was born on July 16, 1966.', '1966-07-16'],
  ['16th of July 1966', '1966-07-16'],
  ['16 Jul. 1966', '1966-07-16'],
  ['07/16/1966', '1966-07-16'],
  ['Sept 3, 2001', '2001-09-03'],
  ['May 2, 2020', '2020-05-02'],
  ['in July 1966', '1966-07'],
  ['in 1966', '1966'],
  ['from 1924-10-10 to December 10, 1978', '1978-12-10'],
  ['born July 16, 1966, aged 40', '1966-07-16'],
  ['February 29, 2024', '2024-02-29'],
  // There is no such day; of it the year is left.
  ['February 30, 2024', '2024'],
  ['13/45/2020', undefined],
  ['12345', undefined],
  ['no date', undefined],
])('%s', (text, date) => {
  expect(findLastDate(text)).toBe(date);
});
