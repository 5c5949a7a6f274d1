import { useCallback, useEffect, useRef } from 'react';
import { type Collection, listCollections } from '../api/knowledge.ts';
import { listOffers, newestModel, type Offers } from '../api/models.ts';
import { Icon } from '../shell/icons.tsx';
import { Link } from '../shell/link.tsx';
import { Problem } from '../shell/problem.tsx';
import { useResource } from '../shell/resource.ts';
import { addressOf, place, replaceAddress } from '../shell/router.ts';
import { useStore } from '../store.ts';
import { AnswerView } from './answer-view.tsx';
import { Composer } from './composer.tsx';
import { ask, beginAnew, draft, lanes, type Turn, turns } from './conversation.ts';
import { type Lane, lanesFrom, queryFrom } from './lane.ts';
import { LaneBar, modelNote } from './lane-bar.tsx';

/** Milliseconds after which is looked again whether there is a model. */
const lookAgain = 5000;

const noCollections: readonly Collection[] = [];

export function ChatPage() {
  const all = useStore(turns);
  const sides = useStore(lanes);
  const { query } = useStore(place);
  const offers = useResource(listOffers);
  const collections = useResource(listCollections).value ?? noCollections;
  useAddress(query);

  const { value, error, reload } = offers;
  const isEmpty = value?.models.length === 0;
  useEffect(() => {
    if (!isEmpty && error === undefined) return;
    const timer = setTimeout(reload, lookAgain);
    return () => clearTimeout(timer);
  }, [isEmpty, error, reload, value]);

  const change = (changed: readonly Lane[]): void => {
    lanes.set(changed);
    replaceAddress(addressOf('chat', queryFrom(changed)));
  };
  const [first] = sides;
  const isPair = sides.length > 1;
  return (
    <div className={isPair ? 'chat pair' : 'chat'}>
      <header className="chat-head">
        <div className="row between">
          <h1>Chat</h1>
          <div className="row">
            <button
              type="button"
              className="quiet"
              aria-pressed={isPair}
              onClick={() => change(isPair ? [first!] : [first!, { ...first! }])}
            >
              <Icon name="columns" />
              <span>Side by side</span>
            </button>
            <button type="button" className="quiet" disabled={all.length === 0} onClick={beginAnew}>
              <Icon name="plus" />
              <span>New chat</span>
            </button>
          </div>
        </div>
        <div className="lanes">
          {sides.map((lane, i) => (
            <LaneBar
              key={i}
              lane={lane}
              side={isPair ? (i === 0 ? 'left' : 'right') : undefined}
              offers={value}
              collections={collections}
              onChange={(changed) => change(sides.map((each, j) => (j === i ? changed : each)))}
            />
          ))}
        </div>
      </header>
      {error !== undefined && <Problem text={error} onRetry={reload} />}
      {all.length === 0 ? <Welcome offers={value} model={first!.model} /> : <Turns turns={all} />}
      <Composer />
    </div>
  );
}

/** The address of a link decides, also when one goes back to it. */
function useAddress(query: Readonly<Record<string, string>>): void {
  useEffect(() => {
    const { q, ...rest } = query;
    if (q !== undefined) draft.set(q);
    if (Object.keys(rest).length > 0) lanes.set(lanesFrom(rest, lanes.get()));
    // Back from another page, the choices are still there; the address says them again.
    replaceAddress(addressOf('chat', queryFrom(lanes.get())));
  }, [query]);
}

interface Suggestion {
  readonly text: string;
  readonly way: string;
}

/** What the built-in world teaches. */
const suggestions: readonly Suggestion[] = [
  { text: 'Who are you?', way: '' },
  { text: 'Divide 64422 by 10.1.', way: 'pal' },
  { text: 'What is 9 times 88?', way: 'step-by-step' },
];

function Welcome({ offers, model }: { readonly offers: Offers | undefined; readonly model: string }) {
  if (offers?.models.length === 0) {
    return (
      <div className="welcome">
        <h2>The first model is not there yet.</h2>
        <p className="muted">
          It is made from the built-in world and can be talked to as soon as its first stage is done.{' '}
          <Link to={addressOf('forge')}>Watch the forge</Link>.
        </p>
      </div>
    );
  }
  const note = modelNote(offers, model);
  const begin = ({ text, way }: Suggestion): void => {
    const [first, ...others] = lanes.get();
    const changed = [{ ...first!, way }, ...others];
    lanes.set(changed);
    replaceAddress(addressOf('chat', queryFrom(changed)));
    ask(text);
  };
  return (
    <div className="welcome">
      <h2>What would you like to know?</h2>
      <p className="muted">
        You ask {model === newestModel ? 'the newest model' : model}
        {note === '' ? '' : ` (${note})`}. Choose the way to ask above, and watch what it does.
      </p>
      <ul className="suggestions">
        {suggestions
          .filter(({ way }) => way === '' || offers?.strategies.includes(way))
          .map((each) => (
            <li key={each.text}>
              <button type="button" onClick={() => begin(each)}>
                {each.text}
              </button>
            </li>
          ))}
      </ul>
    </div>
  );
}

/** Pixels from the end at which the page still follows what comes. */
const near = 120;

function Turns({ turns: all }: { readonly turns: readonly Turn[] }) {
  const list = useRef<HTMLOListElement>(null);
  const isFollowing = useRef(true);
  const newest = all.at(-1)?.id;
  useEffect(() => {
    isFollowing.current = true;
    scrollToEnd();
  }, [newest]);
  useEffect(() => {
    const scrolled = (): void => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      isFollowing.current = scrollHeight - clientHeight - scrollTop < near;
    };
    const observer = new ResizeObserver(() => {
      if (isFollowing.current) scrollToEnd();
    });
    if (list.current) observer.observe(list.current);
    addEventListener('scroll', scrolled, { passive: true });
    return () => {
      observer.disconnect();
      removeEventListener('scroll', scrolled);
    };
  }, []);
  const restart = useCallback((question: string) => draft.set(question), []);
  return (
    <ol className="turns" ref={list}>
      {all.map(({ id, question, answers }) => (
        <li key={id} className="turn">
          <div className="question">
            <p dir="auto">{question}</p>
            <button type="button" className="quiet small" onClick={() => restart(question)}>
              Ask again
            </button>
          </div>
          <div className={answers.length > 1 ? 'answers pair' : 'answers'}>
            {answers.map((answer, i) => (
              <AnswerView key={i} answer={answer} hasTitle={answers.length > 1} />
            ))}
          </div>
        </li>
      ))}
    </ol>
  );
}

function scrollToEnd(): void {
  scrollTo({ top: document.documentElement.scrollHeight });
}
