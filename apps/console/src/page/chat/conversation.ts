/** The conversation of this tab. It stays while other pages are open. */
import type { ChatBody } from '../api/chat.ts';
import { Store } from '../store.ts';
import { announce } from '../shell/announcer.tsx';
import { Answer, answerText } from './answer.ts';
import { bodyFrom, defaultLane, type Lane, type Said } from './lane.ts';

export interface Turn {
  readonly id: number;
  readonly question: string;
  /** One of each lane. */
  readonly answers: readonly Answer[];
}

export const lanes = new Store<readonly Lane[]>([defaultLane]);
export const turns = new Store<readonly Turn[]>([]);
/** Answers that are on their way. */
export const underWay = new Store<readonly Answer[]>([]);
/** A question that is being written. */
export const draft = new Store('');

/** Throws an Error with a message for the user where an option is wrong; nothing is sent then. */
export function ask(question: string): void {
  const bodies = lanes.get().map((lane, i): [Lane, ChatBody] => [lane, bodyFrom(lane, historyOf(i), question)]);
  const answers = bodies.map(([lane, body]) => new Answer(lane, body));
  turns.update((before) => [...before, { id: before.length + 1, question, answers }]);
  underWay.update((before) => [...before, ...answers]);
  for (const answer of answers) {
    void answer.done.then(() => {
      underWay.update((before) => before.filter((each) => each !== answer));
      if (underWay.get().length === 0) announce(endings[answer.state.get().status]);
    });
  }
}

const endings = {
  running: '',
  done: 'The answer is complete.',
  stopped: 'The answer was stopped.',
  failed: 'There was no answer.',
};

export function stopAll(): void {
  for (const answer of underWay.get()) answer.stop();
}

export function beginAnew(): void {
  stopAll();
  turns.set([]);
}

/** What was said in a lane; answers that failed are left out with their questions. */
function historyOf(lane: number): readonly Said[] {
  return turns.get().flatMap(({ question, answers }) => {
    const answer = answers[lane] ?? answers[0];
    const state = answer?.state.get();
    if (!state || state.status === 'failed') return [];
    const said = answerText(state);
    return said === '' ? [] : [{ question, answer: said }];
  });
}
