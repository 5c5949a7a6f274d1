import { beforeEach, describe, expect, it } from 'vitest';
import { createLexicalRetriever } from './lexical-retriever.ts';
import { createPageTools } from './page-tools.ts';
import type { Tool } from './tool.ts';

const documents = [
  {
    id: '1',
    title: 'Milhouse Van Houten',
    text: 'One is Milhouse. Two is named. Three. Four is named. Five. Six is NAMED last.',
  },
  { id: '2', title: 'Ärzte, Die', text: 'A band.' },
  { id: '3', title: 'Milhouse', text: 'Another one.' },
];
const { signal } = new AbortController();
let search: Tool;
let lookup: Tool;

beforeEach(() => {
  [search, lookup] = createPageTools(createLexicalRetriever(documents, { passageCharacters: 30 })) as [Tool, Tool];
});

const searched = async (title: string) => (await search.run({ title }, { signal })).text;
const lookedUp = async (word: string) => (await lookup.run({ word }, { signal })).text;

describe('search', () => {
  it('shows the first five sentences of the page, with their places', async () => {
    const { text, passages } = await search.run({ title: 'milhouse van houten' }, { signal });
    expect(text).toBe('One is Milhouse. Two is named. Three. Four is named. Five.');
    expect(passages!.map(({ start, end }) => documents[0]!.text.slice(start, end))).toEqual([
      'One is Milhouse.',
      'Two is named.',
      'Three.',
      'Four is named.',
      'Five.',
    ]);
  });

  it('leaves the heading out', async () => {
    const [withHeading] = createPageTools(
      createLexicalRetriever([{ id: 'x', title: 'Ada', text: '# Ada\n\nShe wrote.' }]),
    );
    expect((await withHeading!.run({ title: 'ada' }, { signal })).text).toBe('She wrote.');
  });

  it('opens the very title, though others fit better, with its whole text', async () => {
    const crowd = Array.from({ length: 40 }, (_, i) => ({
      id: `c${i}`,
      title: `The Who ${i}`,
      text: 'The Who, The Who.',
    }));
    const text = 'A band. '.repeat(30) + 'It plays no more.';
    const retriever = createLexicalRetriever([...crowd, { id: 'w', title: 'The Who', text: `The Who\n\n${text}` }]);
    const [whole, next] = createPageTools(retriever) as [Tool, Tool];
    expect((await whole.run({ title: 'The Who' }, { signal })).text).toBe('A band. A band. A band. A band. A band.');
    expect((await next.run({ word: 'no more' }, { signal })).text).toBe('(Result 1 / 1) It plays no more.');
  });

  it('knows a title in other spellings', async () => {
    expect(await searched('arzte die')).toBe('A band.');
    expect(await searched('Milhouse')).toBe('Another one.');
  });

  it('names similar titles where there is no such page', async () => {
    expect(await searched('Milhouse Smith')).toBe(
      'Could not find Milhouse Smith. Similar: [Milhouse, Milhouse Van Houten].',
    );
    expect(await searched('xyz')).toBe('Could not find xyz. Similar: [].');
  });
});

describe('lookup', () => {
  it('goes through the sentences that hold the word, then has no more', async () => {
    await searched('Milhouse Van Houten');
    expect(await lookedUp('named')).toBe('(Result 1 / 3) Two is named.');
    expect(await lookedUp('Named')).toBe('(Result 2 / 3) Four is named.');
    expect(await lookedUp('named')).toBe('(Result 3 / 3) Six is NAMED last.');
    expect(await lookedUp('named')).toBe('No more results.');
  });

  it('begins anew with another word, and with another page', async () => {
    await searched('Milhouse Van Houten');
    await lookedUp('named');
    expect(await lookedUp('five')).toBe('(Result 1 / 1) Five.');
    expect(await lookedUp('named')).toBe('(Result 1 / 3) Two is named.');
    await searched('Milhouse');
    expect(await lookedUp('named')).toBe('No more results.');
    await searched('nothing');
    expect(await lookedUp('one')).toBe('No more results.');
  });

  it('finds nothing before a page is open, nor on one of another run', async () => {
    await searched('Milhouse Van Houten');
    const [, other] = createPageTools(createLexicalRetriever(documents));
    expect((await other!.run({ word: 'named' }, { signal })).text).toBe('No more results.');
  });
});
