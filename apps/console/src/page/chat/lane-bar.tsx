/** Whom a question goes to and how: the selectors over a conversation. */
import { type ReactNode, useId, useState } from 'react';
import type { Collection } from '../api/knowledge.ts';
import { newestModel, type Offers } from '../api/models.ts';
import { Icon } from '../shell/icons.tsx';
import { wholeNumber } from '../text/format.ts';
import { type AnswerKind, answerKinds, type Lane, type LaneOptions } from './lane.ts';
import { plainChat, wayOf, waysFrom } from './ways.ts';

interface LaneBarProps {
  readonly lane: Lane;
  /** Undefined: there is one alone. */
  readonly side: 'left' | 'right' | undefined;
  readonly offers: Offers | undefined;
  readonly collections: readonly Collection[];
  readonly onChange: (lane: Lane) => void;
  readonly children?: ReactNode;
}

export function LaneBar({ lane, side, offers, collections, onChange, children }: LaneBarProps) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const way = wayOf(lane.way);
  const of = side === undefined ? '' : `, ${side}`;
  const models = offers?.models.map(({ id: name }) => name) ?? [];
  const strategies = waysFrom(offers?.strategies ?? []);
  const change = (part: Partial<Lane>): void => onChange({ ...lane, ...part });
  return (
    <section className="lane-bar" aria-label={side === undefined ? 'Whom to ask' : `Whom to ask, ${side}`}>
      <div className="selectors">
        <Select
          label={`Model${of}`}
          value={lane.model}
          options={withCurrent(models, lane.model).map((name) => [name, name === newestModel ? 'newest' : name])}
          onChange={(model) => change({ model, ...wayFor(model, lane, offers) })}
        />
        <Select
          label={`Way to ask${of}`}
          value={lane.way}
          options={(strategies.some(({ name }) => name === lane.way) ? strategies : [...strategies, way]).map(
            ({ name, label }) => [name, label],
          )}
          onChange={(name) => change({ way: name, ...defaultCollection(name, lane, collections) })}
        />
        {way.searches !== 'never' && (
          <Select
            label={`Collection${of}`}
            value={lane.collection}
            options={[
              ...(way.searches === 'always' && collections.length > 0 ? [] : [['', 'none'] as const]),
              ...withCurrent(
                collections.map(({ id: name }) => name),
                lane.collection,
              ).map((name) => [name, name] as const),
            ]}
            onChange={(collection) => change({ collection, documents: [] })}
          />
        )}
        <div className="bar-buttons">
          <button
            type="button"
            className="quiet"
            aria-expanded={isOpen}
            aria-controls={id}
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name="options" />
            <span>Options</span>
          </button>
          {children}
        </div>
      </div>
      <p className="hint">
        {way.hint}
        {way.searches === 'always' &&
          collections.length === 0 &&
          ' There is no collection yet: upload documents in Knowledge.'}
        {lane.documents.length > 0 && way.searches !== 'never' && (
          <>
            {' '}
            Only in <bdi>{lane.documents.join(', ')}</bdi>.{' '}
            <button type="button" className="link" onClick={() => change({ documents: [] })}>
              Search all
            </button>
          </>
        )}
      </p>
      <div id={id} hidden={!isOpen}>
        {isOpen && <Options lane={lane} onChange={(options) => change({ options })} />}
      </div>
    </section>
  );
}

/** A model that has no conversations is asked directly at least. */
function wayFor(name: string, { way }: Lane, offers: Offers | undefined): Partial<Lane> {
  const needsStrategy = offers?.models.find(({ id }) => id === name)?.needsStrategy === true;
  return needsStrategy && way === plainChat.name ? { way: 'direct' } : {};
}

/** A way that always searches has something to search in. */
function defaultCollection(way: string, lane: Lane, collections: readonly Collection[]): Partial<Lane> {
  const [first] = collections;
  return wayOf(way).searches === 'always' && lane.collection === '' && first ? { collection: first.id } : {};
}

/** A link may name what is not there (any more): it stays chosen, and the gateway says so. */
function withCurrent(names: readonly string[], current: string): readonly string[] {
  return current === '' || names.includes(current) ? names : [...names, current];
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly onChange: (value: string) => void;
}

function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <label className="select">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

const kindLabels: Readonly<Record<AnswerKind, string>> = {
  text: 'Text',
  number: 'A number',
  'yes-no': 'Yes or no',
  date: 'A date',
  choice: 'One of several',
};

function Options({
  lane: { way: name, options },
  onChange,
}: {
  readonly lane: Lane;
  readonly onChange: (options: LaneOptions) => void;
}) {
  const way = wayOf(name);
  const isPlain = name === '';
  const set =
    <K extends keyof LaneOptions>(field: K) =>
    (value: LaneOptions[K]): void =>
      onChange({ ...options, [field]: value });
  return (
    <div className="options">
      <Area label="Instructions (system)" value={options.system} onChange={set('system')} rows={2} />
      <Field label="Temperature" hint="0 to 2" value={options.temperature} onChange={set('temperature')} />
      <Field label="Tokens of an answer" hint="at most" value={options.maxTokens} onChange={set('maxTokens')} />
      {!isPlain && (
        <>
          <Select
            label="Answer"
            value={options.answerKind}
            options={answerKinds.map((kind) => [kind, kindLabels[kind]])}
            onChange={(value) => set('answerKind')(value as AnswerKind)}
          />
          {way.takesSamples && (
            <Field label="Samples" hint="that vote" value={options.samples} onChange={set('samples')} />
          )}
          {way.takesTools && (
            <>
              <Field label="Tools" hint="names; empty: as suits" value={options.tools} onChange={set('tools')} isText />
              <Field label="Actions" hint="at most" value={options.mostActions} onChange={set('mostActions')} />
            </>
          )}
          <Field label="Steps" hint="at most" value={options.mostSteps} onChange={set('mostSteps')} />
          <Field label="Seconds" hint="at most" value={options.mostSeconds} onChange={set('mostSeconds')} />
          <Field label="Tokens in all" hint="at most" value={options.mostTokens} onChange={set('mostTokens')} />
          {options.answerKind === 'choice' && (
            <Area label="Choices, one a line" value={options.choices} onChange={set('choices')} rows={3} />
          )}
          {way.takesExamples && (
            <Area
              label={`Examples, JSON a line: question, answer${name === 'pal' ? ', program' : ', reasoning'}`}
              value={options.examples}
              onChange={set('examples')}
              rows={4}
              isCode
            />
          )}
        </>
      )}
      {way.takesTools && (
        <label className="check">
          <input
            type="checkbox"
            checked={options.pictures}
            onChange={(event) => set('pictures')(event.target.checked)}
          />
          <span>Show what the browser shows</span>
        </label>
      )}
      <label className="check">
        <input
          type="checkbox"
          checked={options.withHistory ?? isPlain}
          onChange={(event) => set('withHistory')(event.target.checked)}
        />
        <span>Send what was said before</span>
      </label>
    </div>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly isText?: boolean;
}

function Field({ label, hint, value, onChange, isText = false }: FieldProps) {
  return (
    <label className="field">
      <span>
        {label}, {hint}
      </span>
      <input
        value={value}
        inputMode={isText ? 'text' : 'decimal'}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

function Area({
  label,
  value,
  onChange,
  rows,
  isCode = false,
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly rows: number;
  readonly isCode?: boolean;
}) {
  return (
    <label className="field wide">
      <span>{label}</span>
      <textarea
        rows={rows}
        value={value}
        className={isCode ? 'code' : undefined}
        spellCheck={!isCode}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

/** A model in a few words: what it is, how much it reads. */
export function modelNote(offers: Offers | undefined, name: string): string {
  const model = offers?.models.find(({ id }) => id === name);
  if (!model) return '';
  const { stage, parameters, context_length: context } = model;
  return [
    stage,
    parameters !== undefined && parameters > 0 && `${wholeNumber(parameters)} parameters`,
    context !== undefined && `${wholeNumber(context)} tokens of context`,
  ]
    .filter(Boolean)
    .join(', ');
}
