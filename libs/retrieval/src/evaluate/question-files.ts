/**
 * Files of questions with the paragraphs that answer them, as retrieval tasks: SQuAD's layout (XQuAD and many others) and
 * HotpotQA's. Each paragraph is a document; relevant are those that a question was asked about, or that its answer rests on.
 */
import { readFileSync } from 'node:fs';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { RetrievalTask } from './beir.ts';

type Json = Readonly<Record<string, unknown>>;

/** Errors name the file and the place in it. */
export function readQuestions(path: string): RetrievalTask {
  const json = parse(path);
  const task = Array.isArray(json) ? readHotpot(json, path) : readSquad(json, path);
  if (task.queries.length === 0) throw invalidInput(`${path}: there are no questions in it`, { at: path });
  return task;
}

function parse(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (reason) {
    throw new CrucibleError('not-found', `${path} cannot be read: ${(reason as Error).message}`, { at: path });
  }
  try {
    return JSON.parse(text);
  } catch (reason) {
    throw invalidInput(`${path}: it is no JSON: ${(reason as Error).message}`, { at: path, cause: reason });
  }
}

/** Titles are not used: a question says what its article is about, and that would be no search. */
function readSquad(json: unknown, path: string): RetrievalTask {
  const file = new Place(json, path);
  const documents: RetrievalTask['documents'][number][] = [];
  const queries: RetrievalTask['queries'][number][] = [];
  const judgements = new Map<string, ReadonlyMap<string, number>>();
  for (const article of file.list('data')) {
    for (const paragraph of article.list('paragraphs')) {
      const id = `p${documents.length}`;
      documents.push({ id, title: '', text: paragraph.text('context') });
      for (const question of paragraph.list('qas')) {
        const name = question.text('id');
        queries.push({ id: name, text: question.text('question') });
        judgements.set(name, new Map([[id, 1]]));
      }
    }
  }
  return { documents, queries, judgements };
}

/** Relevant are the paragraphs with a supporting fact. The same paragraph of several questions is one document. */
function readHotpot(json: readonly unknown[], path: string): RetrievalTask {
  const ids = new Map<string, string>();
  const titles = new Map<string, number>();
  const documents: RetrievalTask['documents'][number][] = [];
  const queries: RetrievalTask['queries'][number][] = [];
  const judgements = new Map<string, ReadonlyMap<string, number>>();
  const idOf = (title: string, text: string): string => {
    const key = `${title}\n${text}`;
    const known = ids.get(key);
    if (known !== undefined) return known;
    const count = (titles.get(title) ?? 0) + 1;
    titles.set(title, count);
    const id = count === 1 ? title : `${title} (${count})`;
    ids.set(key, id);
    documents.push({ id, title, text });
    return id;
  };
  json.forEach((each, i) => {
    const question = new Place(each, `${path}: [${i}]`);
    const id = typeof question.of('_id') === 'string' ? question.text('_id') : `q${i}`;
    const own = new Map(paragraphsOf(question).map(([title, text]) => [title, idOf(title, text)]));
    const relevant = supportingTitles(question).flatMap((title) => own.get(title) ?? []);
    if (relevant.length === 0) question.fail('supporting_facts', 'none of its titles is one of context');
    queries.push({ id, text: question.text('question') });
    judgements.set(id, new Map(relevant.map((document) => [document, 1])));
  });
  return { documents, queries, judgements };
}

/** `[[title, [sentence, …]], …]` as published, or the columns of Hugging Face's copy. */
function paragraphsOf(question: Place): (readonly [title: string, text: string])[] {
  const context = question.of('context');
  const [titles, sentences] = Array.isArray(context)
    ? [context.map((pair: unknown) => (pair as unknown[])[0]), context.map((pair: unknown) => (pair as unknown[])[1])]
    : [(context as Json | undefined)?.['title'], (context as Json | undefined)?.['sentences']];
  const isRight =
    isStrings(titles) && Array.isArray(sentences) && sentences.length === titles.length && sentences.every(isStrings);
  if (!isRight) return question.fail('context', 'titles with their sentences are needed');
  return titles.map((title, i) => [title, sentences[i]!.join('').trim()] as const);
}

function supportingTitles(question: Place): readonly string[] {
  const facts = question.of('supporting_facts');
  const titles = Array.isArray(facts)
    ? facts.map((pair: unknown) => (pair as unknown[])[0])
    : (facts as Json | undefined)?.['title'];
  return isStrings(titles) ? [...new Set(titles)] : question.fail('supporting_facts', 'titles are needed');
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** A value in a file, whose errors say where it is. */
class Place {
  readonly #value: Json;
  readonly #at: string;

  constructor(value: unknown, at: string) {
    if (typeof value !== 'object' || value === null) throw invalidInput(`${at}: an object is needed`, { at });
    this.#value = value as Json;
    this.#at = at;
  }

  of(field: string): unknown {
    return this.#value[field];
  }

  text(field: string): string {
    const value = this.#value[field];
    return typeof value === 'string' ? value : this.fail(field, 'a text is needed');
  }

  list(field: string): Place[] {
    const value = this.#value[field];
    if (!Array.isArray(value)) return this.fail(field, 'a list is needed');
    return value.map((each, i) => new Place(each, `${this.#at}: ${field}[${i}]`));
  }

  fail(field: string, what: string): never {
    throw invalidInput(`${this.#at}: ${field}: ${what}`, { at: this.#at });
  }
}
