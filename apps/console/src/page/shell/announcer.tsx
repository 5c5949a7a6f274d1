/** What screen readers are told beside what has the focus: that an answer is there, that somebody has to decide. */
import { Store, useStore } from '../store.ts';

const message = new Store('');

export function announce(text: string): void {
  // The same words again are news too.
  message.set(message.get() === text ? `${text}\u00a0` : text);
}

export function Announcer() {
  return (
    <div role="status" className="visually-hidden">
      {useStore(message)}
    </div>
  );
}
