import { memo, useCallback, useState } from 'react';
import type { Citation, Passage } from '@crucible/prompting';
import { PassageDialog } from '../knowledge/passage-dialog.tsx';
import { CopyButton } from '../shell/copy-button.tsx';
import { Link } from '../shell/link.tsx';
import { Problem } from '../shell/problem.tsx';
import { addressOf } from '../shell/router.ts';
import { useStore } from '../store.ts';
import { MarkdownView } from '../text/markdown-view.tsx';
import { count, duration, wholeNumber } from '../text/format.ts';
import { TraceList } from '../trace/trace-list.tsx';
import type { TraceView } from '../trace/trace.ts';
import { ApprovalCard } from './approval-card.tsx';
import { type Answer, answerText } from './answer.ts';
import { wayOf } from './ways.ts';

interface AnswerViewProps {
  readonly answer: Answer;
  /** Say whose answer it is: there are others beside it. */
  readonly hasTitle: boolean;
}

const noCitations: readonly Citation[] = [];

export const AnswerView = memo(function AnswerView({ answer, hasTitle }: AnswerViewProps) {
  const state = useStore(answer.state);
  const [passage, setPassage] = useState<Passage>();
  const { model, way, collection } = answer.lane;
  const { status, trace, approvals, error, wasCut, tokens, elapsedMs, runId } = state;
  const isRunning = status === 'running';
  const text = answerText(state);
  const citations = trace?.answer?.citations ?? noCitations;
  const openCitation = useCallback((citation: Citation) => setPassage(citation.passage), []);
  const close = useCallback(() => setPassage(undefined), []);
  const title = `${model}${way === '' ? '' : ` · ${wayOf(way).label}`}`;
  return (
    <article className="answer" aria-busy={isRunning} aria-label={hasTitle ? `Answer of ${title}` : 'Answer'}>
      {hasTitle && <p className="answer-title">{title}</p>}
      {trace && <TracePanel runId={runId} trace={trace} isRunning={isRunning} onPassage={setPassage} />}
      {approvals.map((approval) => (
        <ApprovalCard
          key={approval.id}
          approval={approval}
          onDecision={(approved, reason) => void answer.decide(approval.id, approved, reason)}
        />
      ))}
      {text !== '' ? (
        <MarkdownView text={text} citations={citations} onCitation={openCitation} />
      ) : isRunning ? (
        // The trace, or the question whether something may run, says what is waited for.
        trace === undefined && (
          <p>
            <span className="pulse" aria-hidden="true" />
            <span className="visually-hidden">Waiting for the answer</span>
          </p>
        )
      ) : (
        status === 'done' && <p className="muted">{emptyAnswer(trace)}</p>
      )}
      {citations.length > 0 && <Sources citations={citations} onCitation={openCitation} />}
      {error !== undefined && <Problem text={error} />}
      {trace?.end?.error && <Problem text={trace.end.error.message} />}
      {!isRunning && (
        <footer className="answer-foot">
          {status === 'stopped' && <span>stopped</span>}
          {wasCut && <span>cut at the most tokens</span>}
          {trace?.end && trace.end.reason in limitReasons && <span>{limitReasons[trace.end.reason]}</span>}
          <span>{duration(trace?.elapsedMs ?? elapsedMs)}</span>
          {tokensOf(trace, tokens)}
          {runId !== undefined && <Link to={addressOf('runs', { run: runId, collection })}>Run</Link>}
          {text !== '' && <CopyButton text={text} />}
        </footer>
      )}
      {passage && <PassageDialog collection={collection} passage={passage} onClose={close} />}
    </article>
  );
});

const limitReasons: Readonly<Record<string, string>> = {
  steps: 'ended by the limit on steps',
  time: 'ended by the limit on time',
  tokens: 'ended by the limit on tokens',
  context: 'the conversation outgrew the context',
  cancelled: 'cancelled',
};

function tokensOf(trace: TraceView | undefined, tokens: number | undefined) {
  const usage = trace?.end?.usage;
  if (usage) {
    const sum = usage.promptTokens + usage.completionTokens;
    return (
      <span>
        {count(usage.calls, 'call')}, {usage.estimated ? 'about ' : ''}
        {wholeNumber(sum)} tokens
      </span>
    );
  }
  return tokens === undefined ? null : <span>{count(tokens, 'token')}</span>;
}

function emptyAnswer(trace: TraceView | undefined): string {
  return trace ? 'No answer came out.' : 'The answer is empty.';
}

interface TracePanelProps {
  readonly runId: string | undefined;
  readonly trace: TraceView;
  readonly isRunning: boolean;
  /** Default: only while the run goes on. */
  readonly isOpenAtFirst?: boolean;
  readonly onPassage: (passage: Passage) => void;
}

/** Open while the run goes on, closed when there is the answer, unless the reader has it otherwise. */
export function TracePanel({ runId, trace, isRunning, isOpenAtFirst = isRunning, onPassage }: TracePanelProps) {
  const [chosen, setChosen] = useState<boolean>();
  const isOpen = chosen ?? isOpenAtFirst;
  return (
    <div className="trace" role="group" aria-label="Trace">
      <button type="button" className="trace-head" aria-expanded={isOpen} onClick={() => setChosen(!isOpen)}>
        <span className={isRunning ? 'pulse' : 'pulse still'} aria-hidden="true" />
        <span className="step-name">Trace</span>
        <span className="muted">
          {isRunning ? `${trace.doing} …` : `${count(shownSteps(trace), 'step')} in ${duration(trace.elapsedMs)}`}
        </span>
      </button>
      {isOpen && <TraceList runId={runId} trace={trace} onPassage={onPassage} />}
    </div>
  );
}

function shownSteps({ rows }: TraceView): number {
  return rows.reduce((sum, row) => sum + (row.kind === 'group' ? row.entries.length : 1), 0);
}

export function Sources({
  citations,
  onCitation,
}: {
  readonly citations: readonly Citation[];
  readonly onCitation: (citation: Citation) => void;
}) {
  return (
    <ul className="sources" aria-label="Sources">
      {citations.map((citation) => (
        <li key={citation.number}>
          <button type="button" className="source" onClick={() => onCitation(citation)}>
            <span className={citation.supported ? 'citation' : 'citation doubtful'} aria-hidden="true">
              {citation.number}
            </span>
            <bdi>{citation.passage.document.title || citation.passage.document.id}</bdi>
            {!citation.supported && <span className="muted"> does not have these words</span>}
          </button>
        </li>
      ))}
    </ul>
  );
}
