import { describe, expect, it } from 'vitest';
import type { Page } from './encyclopedia.ts';
import { PageReader } from './page-reader.ts';

function page(title: string, sentences: string[]): Page {
  return { title, kind: 'town', facts: [], sentences };
}

const reader = (): PageReader =>
  new PageReader([
    page('Tamova', ['One salt.', 'Two.', 'Three Salt.', 'Four.', 'Five.', 'Six salt.']),
    ...['Tamund', 'Tamolm', 'Tameth', 'Belova', 'Zelisk', 'Norune', 'Halova'].map((title) =>
      page(title, [`${title}.`]),
    ),
  ]);

describe('search', () => {
  it('shows the first five sentences of a page', () => {
    expect(reader().search('Tamova')).toBe('One salt. Two. Three Salt. Four. Five.');
    expect(reader().search(' tamOVA ')).toBe('One salt. Two. Three Salt. Four. Five.');
  });

  it('offers the five most similar titles where there is no such page', () => {
    expect(reader().search('Tamov')).toBe('Could not find Tamov. Similar: [Tamova, Tamolm, Tameth, Tamund, Belova].');
  });
});

describe('lookup', () => {
  it('goes through the sentences of the page that hold a word, also those that search did not show', () => {
    const at = reader();
    at.search('Tamova');
    expect(at.lookup('salt')).toBe('(Result 1 / 3) One salt.');
    expect(at.lookup('salt')).toBe('(Result 2 / 3) Three Salt.');
    expect(at.lookup('salt')).toBe('(Result 3 / 3) Six salt.');
    expect(at.lookup('salt')).toBe('No more results.');
  });

  it('begins again with another word and on another page', () => {
    const at = reader();
    at.search('Tamova');
    at.lookup('salt');
    expect(at.lookup('two')).toBe('(Result 1 / 1) Two.');
    expect(at.lookup('salt')).toBe('(Result 1 / 3) One salt.');
    at.search('Belova');
    expect(at.lookup('salt')).toBe('No more results.');
    at.search('Tamova');
    expect(at.lookup('salt')).toBe('(Result 1 / 3) One salt.');
  });

  it('finds nothing before a page has been found', () => {
    const at = reader();
    expect(at.lookup('salt')).toBe('No more results.');
    at.search('Nowhere');
    expect(at.lookup('salt')).toBe('No more results.');
  });
});
