import { type SubmitEvent, useCallback, useEffect, useId, useState } from 'react';
import { messageOf } from '../api/http.ts';
import {
  type Collection,
  deleteCollection,
  deleteDocument,
  type DocumentInfo,
  type Hit,
  listCollections,
  listDocuments,
  searchCollection,
} from '../api/knowledge.ts';
import { Icon } from '../shell/icons.tsx';
import { Link } from '../shell/link.tsx';
import { Problem } from '../shell/problem.tsx';
import { useResource } from '../shell/resource.ts';
import { addressOf, navigate, place } from '../shell/router.ts';
import { useStore } from '../store.ts';
import { count, moment, percent, wholeNumber } from '../text/format.ts';
import { DocumentText } from './document-text.tsx';
import { arrivals } from './uploads.ts';
import { UploadPanel } from './upload-panel.tsx';

const defaultCollection = 'default';

export function KnowledgePage() {
  const { query } = useStore(place);
  const collections = useResource(listCollections);
  const { value, error, reload } = collections;
  const arrived = useStore(arrivals);
  useEffect(() => {
    if (arrived > 0) reload();
  }, [arrived, reload]);
  const collection = query['collection'] ?? value?.at(0)?.id ?? defaultCollection;
  const document = query['document'];
  return (
    <div className="page">
      <header className="page-head">
        <h1>Knowledge</h1>
        <CollectionBar collection={collection} collections={value ?? []} onDeleted={reload} />
      </header>
      {error !== undefined && <Problem text={error} onRetry={reload} />}
      {document === undefined ? (
        <>
          <UploadPanel collection={collection} />
          {value?.some(({ id }) => id === collection) ? (
            <SearchPanel key={collection} collection={collection} query={query['q'] ?? ''} />
          ) : (
            value && (
              <p className="muted">
                This collection is empty. What you upload can be searched, and asked about by retrieval.
              </p>
            )
          )}
        </>
      ) : (
        <DocumentPanel key={`${collection} ${document}`} collection={collection} id={document} query={query} />
      )}
    </div>
  );
}

interface CollectionBarProps {
  readonly collection: string;
  readonly collections: readonly Collection[];
  readonly onDeleted: () => void;
}

function CollectionBar({ collection, collections, onDeleted }: CollectionBarProps) {
  const [isNaming, setNaming] = useState(false);
  const [name, setName] = useState('');
  const [error, setError] = useState<string>();
  const id = useId();
  const known = collections.find((each) => each.id === collection);
  const names = collections.map((each) => each.id);
  const open = (event: SubmitEvent): void => {
    event.preventDefault();
    setNaming(false);
    navigate(addressOf('knowledge', { collection: name.trim() }));
    setName('');
  };
  const remove = (): void => {
    if (!known || !confirm(`Take away the collection ${collection} with ${count(known.documents, 'document')}?`))
      return;
    setError(undefined);
    deleteCollection(collection).then(
      () => {
        navigate(addressOf('knowledge'));
        onDeleted();
      },
      (reason: unknown) => setError(messageOf(reason)),
    );
  };
  return (
    <div className="row">
      {isNaming ? (
        <form className="row" onSubmit={open}>
          <label htmlFor={id} className="visually-hidden">
            Name of the new collection
          </label>
          <input
            id={id}
            value={name}
            placeholder="Name of the collection"
            autoFocus
            onChange={(event) => setName(event.target.value)}
          />
          <button type="submit" disabled={name.trim() === ''}>
            Open
          </button>
          <button type="button" className="quiet" onClick={() => setNaming(false)}>
            Cancel
          </button>
        </form>
      ) : (
        <>
          <label className="select">
            <span>Collection</span>
            <select
              value={collection}
              onChange={(event) => navigate(addressOf('knowledge', { collection: event.target.value }))}
            >
              {(names.includes(collection) ? names : [...names, collection]).map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </label>
          <button type="button" className="quiet" onClick={() => setNaming(true)}>
            <Icon name="plus" />
            <span>New</span>
          </button>
          {known && (
            <button type="button" className="quiet icon-only" aria-label={`Take away ${collection}`} onClick={remove}>
              <Icon name="trash" />
            </button>
          )}
        </>
      )}
      {known && (
        <span className="muted">
          {count(known.documents, 'document')}, {count(known.passages, 'passage')}
        </span>
      )}
      {error !== undefined && <Problem text={error} />}
    </div>
  );
}

function SearchPanel({ collection, query }: { readonly collection: string; readonly query: string }) {
  const [text, setText] = useState(query);
  const id = useId();
  useEffect(() => setText(query), [query]);
  const search = (event: SubmitEvent): void => {
    event.preventDefault();
    navigate(addressOf('knowledge', { collection, q: text.trim() }));
  };
  return (
    <>
      <form role="search" className="search" onSubmit={search}>
        <label htmlFor={id} className="visually-hidden">
          Search in {collection}
        </label>
        <Icon name="search" />
        <input
          id={id}
          type="search"
          value={text}
          placeholder={`Search in ${collection}`}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit">Search</button>
      </form>
      {query === '' ? <Documents collection={collection} /> : <Hits collection={collection} query={query} />}
    </>
  );
}

function Hits({ collection, query }: { readonly collection: string; readonly query: string }) {
  const load = useCallback((signal: AbortSignal) => searchCollection(collection, query, signal), [collection, query]);
  const { value, error, isLoading, reload } = useResource(load);
  return (
    <section aria-label="Found passages">
      <p className="muted" role="status">
        {isLoading
          ? 'Searching …'
          : value &&
            (value.data.length === 0
              ? 'Nothing was found.'
              : `${count(value.data.length, 'passage')}; that the first fits is ${percent(value.confidence)} likely.`)}{' '}
        <Link to={addressOf('knowledge', { collection })}>Back to all documents</Link>
      </p>
      {error !== undefined && <Problem text={error} onRetry={reload} />}
      <ol className="hits">
        {value?.data.map((hit, i) => (
          <li key={i}>
            <Link
              className="hit-title"
              to={addressOf('knowledge', { collection, document: hit.document.id, start: hit.start, end: hit.end })}
            >
              <bdi>{hit.document.title || hit.document.id}</bdi>
            </Link>
            <p className="muted">
              <bdi>{hit.document.id}</bdi>, characters {wholeNumber(hit.start)} to {wholeNumber(hit.end)}
              {hit.page !== null && `, page ${hit.page}`}
            </p>
            <p className="hit-text" dir="auto">
              <Highlighted hit={hit} />
            </p>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Characters of a passage in a list. */
const mostOfHit = 900;

/** `highlights` are stretches of the passage's text. */
function Highlighted({ hit: { text, highlights } }: { readonly hit: Hit }) {
  const parts: React.ReactNode[] = [];
  let at = 0;
  for (const [start, end] of highlights) {
    if (start < at || end > mostOfHit) continue;
    parts.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  parts.push(text.slice(at, mostOfHit), text.length > mostOfHit ? ' …' : '');
  return parts;
}

function Documents({ collection }: { readonly collection: string }) {
  const arrived = useStore(arrivals);
  const [more, setMore] = useState<readonly DocumentInfo[]>([]);
  const [after, setAfter] = useState('');
  const load = useCallback((signal: AbortSignal) => listDocuments(collection, after, signal), [collection, after]);
  const { value, error, isLoading, reload } = useResource(load);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    if (arrived === 0) return;
    setMore([]);
    setAfter('');
    reload();
  }, [arrived, reload]);
  const documents = [...more, ...(value?.data ?? [])];
  const remove = ({ id }: DocumentInfo): void => {
    if (!confirm(`Take ${id} out of ${collection}?`)) return;
    setProblem(undefined);
    deleteDocument(collection, id).then(
      () => arrivals.update((before) => before + 1),
      (reason: unknown) => setProblem(messageOf(reason)),
    );
  };
  return (
    <section aria-labelledby="documents">
      <h2 id="documents">Documents</h2>
      {error !== undefined && <Problem text={error} onRetry={reload} />}
      {problem !== undefined && <Problem text={problem} />}
      {!isLoading && documents.length === 0 && error === undefined && <p className="muted">There is none.</p>}
      <ul className="documents">
        {documents.map((each) => (
          <li key={each.id}>
            <Link to={addressOf('knowledge', { collection, document: each.id })}>
              <bdi>{each.title || each.id}</bdi>
            </Link>
            <span className="muted">
              {each.title !== each.id && <bdi>{each.id}</bdi>} {moment(each.created)}
            </span>
            <button
              type="button"
              className="quiet icon-only"
              aria-label={`Take out ${each.id}`}
              onClick={() => remove(each)}
            >
              <Icon name="trash" />
            </button>
          </li>
        ))}
      </ul>
      {isLoading && <p className="muted">Loading …</p>}
      {value?.after != null && (
        <button
          type="button"
          onClick={() => {
            setMore(documents);
            setAfter(value.after!);
          }}
        >
          Show more
        </button>
      )}
    </section>
  );
}

interface DocumentPanelProps {
  readonly collection: string;
  readonly id: string;
  readonly query: Readonly<Record<string, string>>;
}

function DocumentPanel({ collection, id, query }: DocumentPanelProps) {
  const [start, end] = [Number(query['start']), Number(query['end'])];
  const mark =
    Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end > start ? { start, end } : undefined;
  return (
    <article aria-labelledby="document">
      <div className="row between">
        <h2 id="document">
          <bdi>{id}</bdi>
        </h2>
        <div className="row">
          <Link to={addressOf('knowledge', { collection })}>All documents</Link>
          <Link to={addressOf('chat', { ask: 'rag', collection, document: id })}>Ask about it</Link>
        </div>
      </div>
      <DocumentText
        key={`${query['start']} ${query['end']}`}
        collection={collection}
        id={id}
        {...(mark ? { mark } : { mark: undefined })}
      />
    </article>
  );
}
