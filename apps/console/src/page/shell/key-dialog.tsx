import { type SubmitEvent, useId, useState } from 'react';
import { apiKey, keyWanted, saveKey } from '../api/http.ts';
import { useStore } from '../store.ts';
import { Dialog } from './dialog.tsx';

export function KeyDialog() {
  const isOpen = useStore(keyWanted);
  return isOpen ? <KeyForm /> : null;
}

function KeyForm() {
  const [key, setKey] = useState('');
  const id = useId();
  const isKept = useStore(apiKey) !== '';
  const save = (event: SubmitEvent): void => {
    event.preventDefault();
    saveKey(key.trim());
  };
  return (
    <Dialog title="API key" onClose={() => keyWanted.set(false)}>
      <form onSubmit={save} className="stack">
        <p className="muted">
          {isKept
            ? 'A key is set. If it was refused, give another one.'
            : 'This Crucible may ask for a key; whoever runs it makes them with “crucible keys add”.'}{' '}
          It is kept in this tab until it is closed, and is sent to this server alone.
        </p>
        <label htmlFor={id}>Key</label>
        <input
          id={id}
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={key}
          autoFocus
          onChange={(event) => setKey(event.target.value)}
        />
        <div className="row end">
          {isKept && (
            <button type="button" onClick={() => saveKey('')}>
              Forget the key
            </button>
          )}
          <button type="submit" className="primary" disabled={key.trim() === ''}>
            Use this key
          </button>
        </div>
      </form>
    </Dialog>
  );
}
