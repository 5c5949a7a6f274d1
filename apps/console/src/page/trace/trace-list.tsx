/** A run as a list that can be read: every step a line, with more inside. */
import { memo, type ReactNode, useState } from 'react';
import type { Passage } from '@crucible/prompting';
import { count, duration, wholeNumber } from '../text/format.ts';
import { LongText } from '../text/long-text.tsx';
import { Pictures, TracedRun } from './pictures.tsx';
import type { CallEntry, Entry, Group, ShownStep, StepEntry, TraceView } from './trace.ts';

interface TraceListProps {
  /** Whose trace it is; undefined: it is not known yet. */
  readonly runId: string | undefined;
  readonly trace: TraceView;
  readonly onPassage: (passage: Passage) => void;
}

/** Rows that are drawn at once; those before them on demand. */
const mostRows = 150;

export function TraceList({ runId, trace, onPassage }: TraceListProps) {
  const [earlier, setEarlier] = useState(0);
  const { rows } = trace;
  const from = Math.max(0, rows.length - mostRows - earlier);
  return (
    <TracedRun value={runId}>
      {from > 0 && (
        <button type="button" className="quiet" onClick={() => setEarlier(earlier + mostRows)}>
          Show earlier steps ({wholeNumber(from)})
        </button>
      )}
      <ol className="trace-list">
        {rows.slice(from).map((row) => (
          <li key={row.key}>
            {row.kind === 'group' ? (
              <GroupRow group={row} onPassage={onPassage} />
            ) : (
              <EntryRow entry={row} onPassage={onPassage} />
            )}
          </li>
        ))}
      </ol>
    </TracedRun>
  );
}

const GroupRow = memo(function GroupRow({
  group: { sample, strategy, entries },
  onPassage,
}: {
  readonly group: Group;
  readonly onPassage: TraceListProps['onPassage'];
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="trace-group" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className="step-name">Sample {sample.map((index) => index + 1).join('.')}</span>
        <span className="muted">
          {strategy}, {count(entries.length, 'step')}
        </span>
        <span className="preview">{previewOf(entries)}</span>
      </summary>
      {isOpen && (
        <ol className="trace-list">
          {entries.slice(-mostRows).map((entry) => (
            <li key={entry.key}>
              <EntryRow entry={entry} onPassage={onPassage} />
            </li>
          ))}
        </ol>
      )}
    </details>
  );
});

/** The last that was written. */
function previewOf(entries: readonly Entry[]): string {
  for (const entry of entries.toReversed()) {
    const text = entry.kind === 'call' ? entry.completions.at(-1)?.text : textOf(entry.step);
    if (text !== undefined && text.trim() !== '') return text.trim().slice(-120);
  }
  return '';
}

function textOf(step: ShownStep): string | undefined {
  return 'text' in step ? step.text : step.kind === 'program-result' ? step.value : undefined;
}

const EntryRow = memo(function EntryRow({
  entry,
  onPassage,
}: {
  readonly entry: Entry;
  readonly onPassage: TraceListProps['onPassage'];
}) {
  return entry.kind === 'call' ? <CallRow entry={entry} /> : <StepRow entry={entry} onPassage={onPassage} />;
});

type Tone = 'model' | 'tool' | 'good' | 'bad' | 'plain';

interface RowProps {
  readonly tone: Tone;
  readonly name: string;
  readonly note?: ReactNode;
  readonly elapsedMs: number;
  readonly children?: ReactNode;
}

function Row({ tone, name, note, elapsedMs, children }: RowProps) {
  return (
    <div className={`step ${tone}`}>
      <div className="step-head">
        <span className="step-name">{name}</span>
        {note !== undefined && <span className="step-note">{note}</span>}
        <span className="step-time">{duration(elapsedMs)}</span>
      </div>
      {children}
    </div>
  );
}

function CallRow({
  entry: { purpose, messages, completions, maxTokens, restated, elapsedMs },
}: {
  readonly entry: CallEntry;
}) {
  const isWriting = completions.length === 0 || completions.some(({ finish }) => finish === undefined);
  return (
    <Row tone="model" name="Model" note={`${purpose}${isWriting ? ' …' : ''}`} elapsedMs={elapsedMs}>
      {completions.map(({ text, finish, toolCalls }, i) => (
        <div key={i} className="completion">
          {text !== '' && (
            <Folded isFolded={restated} title={`What it wrote (${count(text.length, 'character')})`}>
              <LongText text={text} label="What the model wrote" />
            </Folded>
          )}
          {toolCalls.map((call) => (
            <LongText key={call.id} text={`${call.name} ${call.arguments}`} isCode isVisible label="Call of a tool" />
          ))}
          {(finish === 'length' || finish === 'cut') && <p className="step-warning">The text was cut here.</p>}
          {finish === 'refused' && <p className="step-warning">The server kept the answer back.</p>}
        </div>
      ))}
      <Folded isFolded title={`Prompt (${count(messages.length, 'message')}, room for ${count(maxTokens, 'token')})`}>
        <dl className="messages">
          {messages.map(({ role, content }, i) => (
            <div key={i}>
              <dt>{role}</dt>
              <dd>
                <LongText text={content} label={`Message of ${role}`} />
              </dd>
            </div>
          ))}
        </dl>
      </Folded>
    </Row>
  );
}

/** What is folded is not drawn before somebody looks. */
function Folded({
  isFolded,
  title,
  children,
}: {
  readonly isFolded: boolean;
  readonly title: string;
  readonly children: ReactNode;
}) {
  const [isOpen, setOpen] = useState(false);
  if (!isFolded) return children;
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="muted">{title}</summary>
      {isOpen && children}
    </details>
  );
}

function StepRow({
  entry: { step, elapsedMs },
  onPassage,
}: {
  readonly entry: StepEntry;
  readonly onPassage: TraceListProps['onPassage'];
}) {
  switch (step.kind) {
    case 'examples':
      return (
        <Row
          tone="plain"
          name="Examples"
          note={`${count(step.chosen.length, 'example')}${step.leftOut === 0 ? '' : `; ${step.leftOut} do not fit`}`}
          elapsedMs={elapsedMs}
        >
          <Folded isFolded title="Which">
            <LongText text={step.chosen.join('\n')} label="Examples" />
          </Folded>
        </Row>
      );
    case 'thought':
      return (
        <Row tone="model" name="Thought" elapsedMs={elapsedMs}>
          <LongText text={step.text} label="Thought" />
        </Row>
      );
    case 'action':
      return (
        <Row tone="tool" name="Action" note={<code dir="ltr">{step.tool}</code>} elapsedMs={elapsedMs}>
          <LongText text={inputText(step.input)} isCode isVisible label="Input of the tool" />
        </Row>
      );
    case 'observation':
      return (
        <Row
          tone={step.failed ? 'bad' : 'tool'}
          name="Observation"
          note={
            [step.failed && 'failed', step.omitted > 0 && `${count(step.omitted, 'character')} more left out`]
              .filter(Boolean)
              .join(', ') || undefined
          }
          elapsedMs={elapsedMs}
        >
          <Pictures pictures={step.pictures ?? []} />
          <LongText text={step.text} most={1500} label="Observation" />
          <Passages passages={step.passages ?? []} onPassage={onPassage} />
        </Row>
      );
    case 'program':
      return (
        <Row
          tone="tool"
          name="Program"
          note={step.attempt > 1 ? `attempt ${step.attempt}` : undefined}
          elapsedMs={elapsedMs}
        >
          <LongText text={step.program} isCode isVisible label="Program" />
        </Row>
      );
    case 'program-result': {
      const isGood = step.ended === 'finished';
      return (
        <Row
          tone={isGood ? 'good' : 'bad'}
          name="Output"
          note={isGood ? undefined : programEnds[step.ended]}
          elapsedMs={elapsedMs}
        >
          {step.value !== undefined && <LongText text={step.value} isCode label="Value" />}
          {step.stdout !== '' && step.stdout.trim() !== step.value?.trim() && (
            <LongText text={step.stdout} isCode label="Standard output" />
          )}
          {step.stderr !== '' && <LongText text={step.stderr} isCode label="Standard error" />}
        </Row>
      );
    }
    case 'passages':
      return (
        <Row
          tone={step.passages.length > 0 ? 'tool' : 'bad'}
          name="Search"
          note={`${step.passages.length === 0 ? 'nothing found' : count(step.passages.length, 'passage')} for “${step.query.slice(0, 200)}”`}
          elapsedMs={elapsedMs}
        >
          <Passages passages={step.passages} onPassage={onPassage} />
        </Row>
      );
    case 'vote':
      return (
        <Row
          tone="good"
          name="Votes"
          note={
            [step.tied && 'tied', step.invalid > 0 && `${count(step.invalid, 'sample')} without an answer`]
              .filter(Boolean)
              .join(', ') || undefined
          }
          elapsedMs={elapsedMs}
        >
          <Votes votes={step.votes} invalid={step.invalid} />
        </Row>
      );
    case 'fall-back':
      return (
        <Row tone="bad" name="Turns" note={`to ${step.to}`} elapsedMs={elapsedMs}>
          <p>{step.reason}</p>
        </Row>
      );
    case 'notice':
      return (
        <Row tone="bad" name="Note" note={step.what.replaceAll('-', ' ')} elapsedMs={elapsedMs}>
          <LongText text={step.text} most={1000} label="Note" />
        </Row>
      );
    case 'answer':
      return (
        <Row
          tone={step.status === 'answered' ? 'good' : 'bad'}
          name="Answer"
          note={
            [
              step.status === 'not-found' && 'not in what was found',
              step.status === 'none' && 'none came out',
              step.partial && 'as far as it came',
              step.forced && `demanded: ${step.forced.replaceAll('-', ' ')}`,
              step.confidence !== undefined && `${Math.round(100 * step.confidence)} % of the votes`,
            ]
              .filter(Boolean)
              .join(', ') || undefined
          }
          elapsedMs={elapsedMs}
        >
          {step.text !== '' && <LongText text={step.text} most={1000} label="Answer" />}
        </Row>
      );
  }
}

const programEnds = {
  failed: 'raised an error',
  timeout: 'took too long and was stopped',
  memory: 'took too much memory and was stopped',
  output: 'wrote too much and was stopped',
} as const;

/** One text stands bare. */
export function inputText(input: unknown): string {
  if (typeof input === 'object' && input !== null) {
    const values = Object.values(input);
    if (values.length === 1 && typeof values[0] === 'string') return values[0];
  }
  return input === undefined ? '' : JSON.stringify(input, undefined, 2);
}

function Votes({
  votes,
  invalid,
}: {
  readonly votes: readonly { readonly key: string; readonly count: number }[];
  readonly invalid: number;
}) {
  const all = votes.reduce((sum, each) => sum + each.count, invalid);
  return (
    <ul className="votes">
      {votes.map(({ key, count: number }) => (
        <li key={key}>
          <bdi>{key.slice(0, 200)}</bdi>
          <meter min={0} max={all} value={number} aria-label={`${number} of ${all}`} />
          <span>
            {number} of {all}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Passages({
  passages,
  onPassage,
}: {
  readonly passages: readonly Passage[];
  readonly onPassage: TraceListProps['onPassage'];
}) {
  if (passages.length === 0) return null;
  return (
    <ol className="passages">
      {passages.map((passage, i) => (
        <li key={i}>
          <button type="button" className="passage" onClick={() => onPassage(passage)}>
            <span className="passage-title">
              <bdi>{passage.document.title}</bdi>
              <span className="muted">
                {' '}
                {wholeNumber(passage.start)}–{wholeNumber(passage.end)}
              </span>
            </span>
            <span className="passage-text" dir="auto">
              {passage.text.slice(0, 400)}
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}
