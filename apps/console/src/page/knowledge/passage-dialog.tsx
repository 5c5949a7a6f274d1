import type { Passage } from '@crucible/prompting';
import { Dialog } from '../shell/dialog.tsx';
import { Link } from '../shell/link.tsx';
import { addressOf } from '../shell/router.ts';
import { wholeNumber } from '../text/format.ts';
import { DocumentText } from './document-text.tsx';

interface PassageDialogProps {
  /** '': it is not known; what was cited is shown, without what stands around it. */
  readonly collection: string;
  readonly passage: Passage;
  readonly onClose: () => void;
}

/** The source of what was said, in its document. */
export function PassageDialog({ collection, passage, onClose }: PassageDialogProps) {
  const { document, start, end, text } = passage;
  return (
    <Dialog title={document.title === '' ? document.id : document.title} onClose={onClose} isSheet>
      <p className="muted">
        <bdi>{document.id}</bdi>, characters {wholeNumber(start)} to {wholeNumber(end)}
        {collection !== '' && (
          <>
            {' · '}
            <Link to={addressOf('knowledge', { collection, document: document.id, start, end })} onClick={onClose}>
              Open in knowledge
            </Link>
          </>
        )}
      </p>
      {collection === '' ? (
        <pre className="document-text" dir="auto">
          <mark>{text}</mark>
        </pre>
      ) : (
        <DocumentText collection={collection} id={document.id} mark={{ start, end }} cited={text} />
      )}
    </Dialog>
  );
}
