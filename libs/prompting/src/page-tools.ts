/**
 * The actions of ReAct's authors for questions over an encyclopedia, over any retriever: `search` shows the first five
 * sentences of the page of that title, or similar titles; `lookup` goes through the sentences of that page that hold a
 * word. Made anew for every run: they remember the page.
 */
import type { Passage, Retriever, TextDocument } from './retriever.ts';
import { type Sentence, sentencesOf } from './sentences.ts';
import type { Tool, ToolResult } from './tool.ts';

const shownSentences = 5;
const similarTitles = 5;

/** Passages that are looked through for a title. */
const searchLimit = 20;

const noMoreResults = 'No more results.';

interface Page {
  readonly document: Passage['document'];
  readonly sentences: readonly Sentence[];
}

export function createPageTools(retriever: Retriever): readonly Tool[] {
  let page: Page | undefined;
  let keyword = '';
  let next = 0;

  const search = async (title: string, signal: AbortSignal): Promise<ToolResult> => {
    page = undefined;
    keyword = '';
    next = 0;
    // The very title first: among many documents, a search need not bring it to the top.
    let found = await retriever.documentOf({ title }, { signal });
    if (found === undefined) {
      const passages = await retriever.search(title, { limit: searchLimit, signal });
      const documents = [...new Map(passages.map(({ document }) => [document.id, document])).values()];
      const alike = documents.find((each) => sameTitle(each.title, title));
      found = alike && (await retriever.documentOf(alike, { signal }));
      if (found === undefined) {
        const titles = [...new Set(documents.map((each) => each.title))].slice(0, similarTitles);
        return { text: `Could not find ${title}. Similar: [${titles.join(', ')}].` };
      }
    }
    page = pageOf(found);
    return resultOf(page, page.sentences.slice(0, shownSentences));
  };

  const lookup = (word: string): ToolResult => {
    const wanted = word.toLowerCase();
    if (wanted !== keyword) next = 0;
    keyword = wanted;
    const results = page?.sentences.filter(({ text }) => text.toLowerCase().includes(wanted)) ?? [];
    const result = results[next];
    if (page === undefined || result === undefined) return { text: noMoreResults };
    next++;
    const { text, passages } = resultOf(page, [result]);
    return { text: `(Result ${next} / ${results.length}) ${text}`, passages: passages! };
  };

  const oneText = (name: string, description: string): Tool['parameters'] => ({
    type: 'object',
    properties: { [name]: { type: 'string', minLength: 1, description } },
    required: [name],
    additionalProperties: false,
  });
  return [
    {
      name: 'search',
      description: 'shows the beginning of the page of that title, or similar titles if there is none',
      parameters: oneText('title', 'of a page'),
      run: ({ title }, { signal }) => search(String(title), signal),
    },
    {
      name: 'lookup',
      description: 'shows the next sentence of the current page that holds the word',
      parameters: oneText('word', 'to be found'),
      run: ({ word }) => Promise.resolve(lookup(String(word))),
    },
  ];
}

function pageOf({ id, title, text }: TextDocument): Page {
  // The heading of a page says no more than its title.
  return { document: { id, title }, sentences: sentencesOf(text).filter((each) => !sameTitle(each.text, title)) };
}

function resultOf({ document }: Page, sentences: readonly Sentence[]): ToolResult {
  return {
    text: sentences.map(({ text }) => text).join(' '),
    passages: sentences.map(({ text, start, end }) => ({ document, text, start, end, score: 0 })),
  };
}

/** Case, accents, punctuation and spaces do not matter. */
function sameTitle(a: string, b: string): boolean {
  const plain = (title: string): string =>
    title
      .normalize('NFKD')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '');
  return plain(a) === plain(b);
}
