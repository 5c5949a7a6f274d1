/** Pictures that a run has kept. They come with the key of the reader, so not by the address of an image. */
import { createContext, useCallback, useContext, useEffect, useState } from 'react';
import type { Picture } from '@crucible/prompting';
import { getPicture } from '../api/runs.ts';
import { Dialog } from '../shell/dialog.tsx';
import { useResource } from '../shell/resource.ts';

/** Whose trace it is; undefined: it is not known yet. */
export const TracedRun = createContext<string | undefined>(undefined);

export function Pictures({ pictures }: { readonly pictures: readonly Picture[] }) {
  const runId = useContext(TracedRun);
  if (runId === undefined) return null;
  return pictures.map((picture) => <PictureView key={picture.id} runId={runId} picture={picture} />);
}

function PictureView({ runId, picture }: { readonly runId: string; readonly picture: Picture }) {
  const { id, width, height } = picture;
  const load = useCallback((signal: AbortSignal) => getPicture(runId, id, signal), [runId, id]);
  const { value, error } = useResource(load);
  const [url, setUrl] = useState<string>();
  const [isLarge, setLarge] = useState(false);
  useEffect(() => {
    if (!value) return undefined;
    const made = URL.createObjectURL(value);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [value]);
  if (error !== undefined) return <p className="step-warning">The picture cannot be shown: {error}</p>;
  const image = <img src={url} width={width} height={height} alt="What the browser showed" />;
  return (
    <>
      <button type="button" className="picture" title="Show it larger" onClick={() => setLarge(true)}>
        {image}
      </button>
      {isLarge && (
        <Dialog title="A picture of the page" onClose={() => setLarge(false)}>
          <div className="picture-large" role="region" aria-label="Picture" tabIndex={0}>
            {image}
          </div>
        </Dialog>
      )}
    </>
  );
}
