import { useCallback, useState } from 'react';
import type { Citation, Passage } from '@crucible/prompting';
import { messageOf } from '../api/http.ts';
import type { Approval } from '../api/chat.ts';
import { answerApproval, cancelRun, listRuns, resumeRun, type Run } from '../api/runs.ts';
import type { AskedApproval } from '../chat/answer.ts';
import { Sources, TracePanel } from '../chat/answer-view.tsx';
import { ApprovalCard } from '../chat/approval-card.tsx';
import { wayOf } from '../chat/ways.ts';
import { PassageDialog } from '../knowledge/passage-dialog.tsx';
import { Link } from '../shell/link.tsx';
import { Problem } from '../shell/problem.tsx';
import { useResource } from '../shell/resource.ts';
import { addressOf, place } from '../shell/router.ts';
import { useStore } from '../store.ts';
import { MarkdownView } from '../text/markdown-view.tsx';
import { moment } from '../text/format.ts';
import { useWatchedRun } from './watched-run.ts';

export function RunsPage() {
  const { query } = useStore(place);
  const id = query['run'];
  return (
    <div className="page">
      <header className="page-head">
        <h1>Runs</h1>
        {id !== undefined && <Link to={addressOf('runs')}>All runs</Link>}
      </header>
      {id === undefined ? <RunList /> : <RunView key={id} id={id} collection={query['collection'] ?? ''} />}
    </div>
  );
}

function RunList() {
  const [before, setBefore] = useState<readonly Run[]>([]);
  const [after, setAfter] = useState('');
  const load = useCallback((signal: AbortSignal) => listRuns(after, signal), [after]);
  const { value, error, isLoading, reload } = useResource(load);
  const runs = [...before, ...(value?.data ?? [])];
  return (
    <section aria-label="Runs of strategies">
      {error !== undefined && <Problem text={error} onRetry={reload} />}
      {!isLoading && error === undefined && runs.length === 0 && (
        <p className="muted">
          There is none yet. Every question that is asked by a strategy is a run, and its trace is kept for a while.
        </p>
      )}
      <ul className="run-list">
        {runs.map((run) => (
          <li key={run.id}>
            <Link className="run-question" to={addressOf('runs', { run: run.id })}>
              <bdi>{run.question.slice(0, 300) || run.id}</bdi>
            </Link>
            <span className={`badge ${run.state}`}>{run.state}</span>
            <span className="muted">
              <RunFacts run={run} />
              {run.created !== null && ` · ${moment(run.created)}`}
            </span>
          </li>
        ))}
      </ul>
      {isLoading && <p className="muted">Loading …</p>}
      {value?.after != null && (
        <button
          type="button"
          onClick={() => {
            setBefore(runs);
            setAfter(value.after!);
          }}
        >
          Show more
        </button>
      )}
    </section>
  );
}

/** By what way, which model, and where it searched. */
function RunFacts({ run: { strategy, model, collection } }: { readonly run: Run }) {
  return (
    <>
      {wayOf(strategy).label} · <bdi>{model}</bdi>
      {collection != null && (
        <>
          {' '}
          · in <bdi>{collection}</bdi>
        </>
      )}
    </>
  );
}

type Decided = Pick<AskedApproval, 'state' | 'reason' | 'error'>;

interface RunViewProps {
  readonly id: string;
  /** What the run searched; '': the link does not say. */
  readonly collection: string;
}

function RunView({ id, collection }: RunViewProps) {
  const { run, trace, approvals, error, reload } = useWatchedRun(id);
  const [passage, setPassage] = useState<Passage>();
  const [problem, setProblem] = useState<string>();
  const [decided, setDecided] = useState<ReadonlyMap<string, Decided>>(new Map());
  const openCitation = useCallback((citation: Citation) => setPassage(citation.passage), []);
  if (!run) return error === undefined ? <p className="muted">Loading the run …</p> : <Problem text={error} />;

  // One that was interrupted waits for its approvals, too: an answer goes on with it.
  const isOpen = !trace?.end && run.state !== 'ended';
  const isRunning = isOpen && run.state !== 'interrupted';
  const answer = trace?.answer;
  const citations = answer?.citations ?? [];
  const decide = async (approval: Approval, approved: boolean, reason: string): Promise<void> => {
    const note = (part: Decided): void => setDecided((before) => new Map(before).set(approval.id, part));
    note({ state: 'sending', reason, error: undefined });
    try {
      await answerApproval(id, approval.id, approved, reason);
      note({ state: approved ? 'allowed' : 'refused', reason, error: undefined });
      if (!isRunning) reload();
    } catch (caught) {
      note({ state: 'open', reason, error: messageOf(caught) });
    }
  };
  const change = (how: (id: string) => Promise<void>): void => {
    setProblem(undefined);
    how(id).then(reload, (reason: unknown) => setProblem(messageOf(reason)));
  };
  return (
    <article className="answer" aria-label="Run">
      <div className="row between">
        <p className="muted">
          <RunFacts run={run} />
          {run.created !== null && ` · ${moment(run.created)}`}{' '}
          <span className={`badge ${run.state}`}>{run.state}</span>
        </p>
        <div className="row">
          {run.state === 'interrupted' && (
            <button type="button" onClick={() => change(resumeRun)}>
              Go on
            </button>
          )}
          {isOpen && (
            <button type="button" onClick={() => change(cancelRun)}>
              Stop the run
            </button>
          )}
        </div>
      </div>
      <div className="question">
        <p dir="auto">{run.question}</p>
      </div>
      {problem !== undefined && <Problem text={problem} />}
      {error !== undefined && <Problem text={error} />}
      {trace && <TracePanel runId={id} trace={trace} isRunning={isRunning} isOpenAtFirst onPassage={setPassage} />}
      {approvals.map((approval) => {
        const { state, ...rest } = decided.get(approval.id) ?? { state: 'open', reason: '', error: undefined };
        return (
          <ApprovalCard
            key={approval.id}
            approval={{ ...approval, ...rest, state: state === 'open' && !isOpen ? 'over' : state }}
            onDecision={(approved, reason) => void decide(approval, approved, reason)}
          />
        );
      })}
      {answer && answer.text !== '' && (
        <MarkdownView text={answer.text} citations={citations} onCitation={openCitation} />
      )}
      {citations.length > 0 && <Sources citations={citations} onCitation={openCitation} />}
      {trace?.end?.error && <Problem text={trace.end.error.message} />}
      {passage && (
        <PassageDialog
          collection={run.collection ?? collection}
          passage={passage}
          onClose={() => setPassage(undefined)}
        />
      )}
    </article>
  );
}
