import { type SubmitEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { messageOf } from '../api/http.ts';
import { Icon } from '../shell/icons.tsx';
import { useStore } from '../store.ts';
import { ask, draft, stopAll, underWay } from './conversation.ts';

/** Lines that the field grows to. */
const mostHeight = 240;

export function Composer() {
  const text = useStore(draft);
  const isBusy = useStore(underWay).length > 0;
  const [error, setError] = useState<string>();
  const area = useRef<HTMLTextAreaElement>(null);
  const id = useId();

  useEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${Math.min(element.scrollHeight + 2, mostHeight)}px`;
  }, [text]);

  const send = (): void => {
    if (isBusy || text.trim() === '') return;
    try {
      ask(text.trim());
      draft.set('');
      setError(undefined);
    } catch (reason) {
      setError(messageOf(reason));
    }
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    send();
  };
  const key = (event: KeyboardEvent): void => {
    // Enter also ends the composition of a character.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form className="composer" onSubmit={submit}>
      {error !== undefined && (
        <p className="step-warning" role="alert">
          {error}
        </p>
      )}
      <div className="composer-box">
        <label htmlFor={id} className="visually-hidden">
          Question
        </label>
        <textarea
          ref={area}
          id={id}
          rows={1}
          value={text}
          placeholder="Ask something"
          dir="auto"
          autoFocus
          onChange={(event) => draft.set(event.target.value)}
          onKeyDown={key}
        />
        {isBusy ? (
          <button type="button" className="primary icon-only" aria-label="Stop" title="Stop" onClick={stopAll}>
            <Icon name="stop" />
          </button>
        ) : (
          <button
            type="submit"
            className="primary icon-only"
            aria-label="Send"
            title="Send (Enter)"
            disabled={text.trim() === ''}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
