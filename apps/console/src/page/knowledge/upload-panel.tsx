import { type DragEvent, useId, useRef, useState } from 'react';
import { messageOf } from '../api/http.ts';
import { Icon } from '../shell/icons.tsx';
import { useStore } from '../store.ts';
import { bytes, count, percent } from '../text/format.ts';
import { filesFrom } from './dropped-files.ts';
import { addUploads, forgetUploads, isOver, stopUpload, type Upload, uploads } from './uploads.ts';

interface UploadPanelProps {
  readonly collection: string;
}

export function UploadPanel({ collection }: UploadPanelProps) {
  const all = useStore(uploads);
  const [isOver_, setOver] = useState(false);
  const [error, setError] = useState<string>();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();

  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    setError(undefined);
    filesFrom(event.dataTransfer.items).then(
      (files) =>
        files.length === 0 ? setError('There is no file in what was dropped.') : addUploads(collection, files),
      (reason: unknown) => setError(messageOf(reason)),
    );
  };
  const choose = (list: FileList | null): void => {
    addUploads(
      collection,
      [...(list ?? [])].map((file) => ({ name: file.name, file })),
    );
    // The same file can be chosen again.
    if (input.current) input.current.value = '';
  };
  return (
    <section aria-label="Upload">
      <div
        className={isOver_ ? 'drop over' : 'drop'}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <Icon name="upload" />
        <p>
          Drop files or folders here, or{' '}
          <label htmlFor={id} className="file-label">
            choose files
          </label>
          <input
            ref={input}
            id={id}
            type="file"
            multiple
            className="visually-hidden"
            onChange={(event) => choose(event.target.files)}
          />
        </p>
        <p className="muted">Markdown, HTML, PDF, Word, text, CSV, JSON lines; up to 128 MiB each</p>
      </div>
      {error !== undefined && (
        <p className="step-warning" role="alert">
          {error}
        </p>
      )}
      {all.length > 0 && (
        <>
          <div className="row between">
            <h2>Uploads</h2>
            {all.some(({ state }) => isOver(state)) && (
              <button type="button" className="quiet small" onClick={forgetUploads}>
                Clear the list
              </button>
            )}
          </div>
          <ul className="uploads">
            {all.slice(0, 200).map((upload) => (
              <UploadRow key={upload.id} upload={upload} />
            ))}
          </ul>
          {all.length > 200 && <p className="muted">and {count(all.length - 200, 'more file', 'more files')}</p>}
        </>
      )}
    </section>
  );
}

function UploadRow({ upload }: { readonly upload: Upload }) {
  const { id, name, size, state, share, error, result, collection } = upload;
  return (
    <li className={`upload ${state}`}>
      <div className="upload-head">
        <bdi className="upload-name">{name}</bdi>
        <span className="muted">
          {bytes(size)} · {collection}
        </span>
        <span className="upload-state">{stateText(upload)}</span>
        {!isOver(state) && (
          <button type="button" className="quiet small" aria-label={`Stop ${name}`} onClick={() => stopUpload(id)}>
            Stop
          </button>
        )}
      </div>
      {state === 'sending' && <progress max={1} value={share} aria-label={`Sent of ${name}`} />}
      {state === 'reading' && <progress aria-label={`${name} is being read`} />}
      {error !== undefined && (
        <p className="step-warning" dir="auto">
          {error}
        </p>
      )}
      {result && state === 'done' && result.failures.length > 0 && (
        <ul className="failures">
          {result.failures.slice(0, 20).map(({ at, message }, i) => (
            <li key={i}>
              <bdi>{at}</bdi>: {message}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function stateText({ state, share, result }: Upload): string {
  switch (state) {
    case 'waiting':
      return 'waits';
    case 'sending':
      return percent(share);
    case 'reading':
      return 'is being read';
    case 'failed':
      return 'failed';
    case 'stopped':
      return 'stopped';
    case 'done':
      return result?.unchanged ? 'unchanged' : count(result?.passages ?? 0, 'passage');
  }
}
