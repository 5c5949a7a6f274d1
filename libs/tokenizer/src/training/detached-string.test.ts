import { expect, it } from 'vitest';
import { detachedString } from './detached-string.ts';

it.each(['', 'short', 'longer than thirteen', '\u{1f600}'.repeat(9), `lone \ud800 surrogate ${'\udfff'.repeat(9)}`])(
  'detachedString copies %j as it is',
  (text) => {
    expect(detachedString(text)).toBe(text);
  },
);
