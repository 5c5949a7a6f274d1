/**
 * A document's text around a place, with the characters of that place marked. Another document, or another place, is
 * another element: give it a key of them.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import { type Document, getDocument } from '../api/knowledge.ts';
import { Problem } from '../shell/problem.tsx';
import { useResource } from '../shell/resource.ts';
import { wholeNumber } from '../text/format.ts';

interface DocumentTextProps {
  readonly collection: string;
  readonly id: string;
  /** The characters to mark, [start, end); undefined: none, from the beginning. */
  readonly mark: { readonly start: number; readonly end: number } | undefined;
  /** What the place said when it was cited. */
  readonly cited?: string;
}

/** Characters beside the mark at first, and more with each click. */
const around = 2000;
const more = 20_000;

export function DocumentText({ collection, id, mark, cited }: DocumentTextProps) {
  const [range, setRange] = useState({
    start: Math.max(0, (mark?.start ?? 0) - around),
    end: (mark?.end ?? more) + around,
  });
  const { start, end } = range;
  const load = useCallback(
    (signal: AbortSignal) => getDocument(collection, id, { start, end }, signal),
    [collection, id, start, end],
  );
  const { value, error, isLoading, reload } = useResource(load);
  // While more of it comes, what is there stays.
  const [shown, setShown] = useState<{ readonly start: number; readonly document: Document }>();
  const place = useRef<HTMLElement>(null);
  const isThere = shown !== undefined;
  useEffect(() => {
    if (value) setShown({ start, document: value });
  }, [value, start]);
  useEffect(() => {
    if (isThere) place.current?.scrollIntoView({ block: 'center' });
  }, [isThere, mark?.start, mark?.end]);

  if (!shown) {
    return (
      <>
        {error !== undefined && <Problem text={error} onRetry={reload} />}
        {isLoading && <p className="muted">Loading the document …</p>}
        {error !== undefined && cited !== undefined && (
          <>
            <p>This is what was cited:</p>
            <pre className="document-text" dir="auto">
              <mark>{cited}</mark>
            </pre>
          </>
        )}
      </>
    );
  }
  const { text, text_length: length } = shown.document;
  const shownEnd = shown.start + text.length;
  const at = mark && {
    from: clamp(mark.start - shown.start, text.length),
    to: clamp(mark.end - shown.start, text.length),
  };
  const marked = at ? text.slice(at.from, at.to) : '';
  const hasChanged = cited !== undefined && marked !== cited;
  return (
    <>
      {hasChanged && (
        <div className="problem">
          <p>The document has changed since it was cited. Then it said: “{cited.slice(0, 1000)}”</p>
        </div>
      )}
      {shown.start > 0 && (
        <button
          type="button"
          className="quiet"
          disabled={isLoading}
          onClick={() => setRange({ start: Math.max(0, shown.start - more), end })}
        >
          Show what is before ({wholeNumber(shown.start)} characters)
        </button>
      )}
      <pre className="document-text" dir="auto" tabIndex={0} role="group" aria-label="Text of the document">
        {at ? (
          <>
            {text.slice(0, at.from)}
            {marked !== '' && <mark ref={place}>{marked}</mark>}
            {text.slice(at.to)}
          </>
        ) : (
          text
        )}
      </pre>
      {shownEnd < length && (
        <button
          type="button"
          className="quiet"
          disabled={isLoading}
          onClick={() => setRange({ start, end: shownEnd + more })}
        >
          Show what follows ({wholeNumber(length - shownEnd)} characters)
        </button>
      )}
      {error !== undefined && <Problem text={error} onRetry={reload} />}
    </>
  );
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
