import { useEffect, useState } from 'react';
import { messageOf } from '../api/http.ts';
import { cancelJob, type Figures, isFinal, type Job, listJobs } from '../api/jobs.ts';
import { Link } from '../shell/link.tsx';
import { Problem } from '../shell/problem.tsx';
import { useResource } from '../shell/resource.ts';
import { addressOf, navigate, place } from '../shell/router.ts';
import { useStore } from '../store.ts';
import { duration, figure, moment, percent, wholeNumber } from '../text/format.ts';
import { Chart } from './chart.tsx';
import type { StageCurves } from './curves.ts';
import { useFollowedJob } from './followed-job.ts';
import { figureLabel, figureText, forgeStages, type Stage, stageOf } from './stages.ts';

/** Milliseconds after which is looked again for a job. */
const lookAgain = 5000;

export function ForgePage() {
  const { query } = useStore(place);
  const jobs = useResource(listJobs);
  const { value, error, reload } = jobs;
  const chosen = query['job'] ?? preferred(value)?.id;
  useEffect(() => {
    if (value?.length !== 0) return;
    const timer = setTimeout(reload, lookAgain);
    return () => clearTimeout(timer);
  }, [value, reload]);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Forge</h1>
        {value && value.length > 1 && (
          <label className="select">
            <span>Job</span>
            <select value={chosen} onChange={(event) => navigate(addressOf('forge', { job: event.target.value }))}>
              {value.map((job) => (
                <option key={job.id} value={job.id}>
                  {jobTitle(job)}
                </option>
              ))}
            </select>
          </label>
        )}
      </header>
      {error !== undefined && <Problem text={error} onRetry={reload} />}
      {value?.length === 0 && (
        <p className="muted">
          There is no job yet. <code>npx crucible forge</code> makes a model from nothing; this page shows it.
        </p>
      )}
      {chosen !== undefined && <JobView key={chosen} id={chosen} />}
    </div>
  );
}

/** What runs, or else the newest forge. */
function preferred(jobs: readonly Job[] | undefined): Job | undefined {
  return jobs?.find(({ state }) => state === 'running') ?? jobs?.find(({ kind }) => kind === 'forge') ?? jobs?.at(0);
}

function jobTitle({ kind, name, state, created }: Job): string {
  return [`${kind} ${name ?? ''}`.trim(), state, created === null ? '' : moment(created)].filter(Boolean).join(' · ');
}

function JobView({ id }: { readonly id: string }) {
  const { job, stages, error } = useFollowedJob(id);
  const [problem, setProblem] = useState<string>();
  if (!job) return error === undefined ? <p className="muted">Loading the job …</p> : <Problem text={error} />;
  const current = stages.at(-1);
  const { state, started, finished, models } = job;
  const rail = railOf(job, stages);
  const cancel = (): void => {
    if (!confirm('Stop this job? What it has published stays.')) return;
    cancelJob(id).catch((reason: unknown) => setProblem(messageOf(reason)));
  };
  return (
    <>
      <div className="row between">
        <p>
          <strong>{job.name ?? job.kind}</strong> <span className={`badge ${state}`}>{state}</span>{' '}
          <span className="muted">
            {started !== null && `since ${moment(started)}`}
            {started !== null && finished !== null && `, took ${duration(1000 * (finished - started))}`}
          </span>
        </p>
        {!isFinal(state) && (
          <button type="button" onClick={cancel}>
            Stop the job
          </button>
        )}
      </div>
      {error !== undefined && <Problem text={`${error} Trying again.`} />}
      {problem !== undefined && <Problem text={problem} />}
      {job.error && <Problem text={job.error.message} />}
      <ol className="rail" aria-label="Stages">
        {rail.map((each) => (
          <StageCard
            key={each.name}
            stage={each}
            curves={stages.find(({ stage }) => stage === each.name)}
            isCurrent={!isFinal(state) && each.name === job.stage}
            isPast={isPast(each.name, job, current?.stage, rail)}
            model={modelOf(each, models)}
          />
        ))}
      </ol>
      {job.report && <Report figures={job.report} />}
      {rail
        .toReversed()
        .map(({ name }) => stages.find(({ stage }) => stage === name))
        .filter((each) => each !== undefined)
        .filter(({ byName }) => [...byName.values()].some((curve) => curve.length > 1))
        .map((each) => (
          <StageCharts key={each.stage} curves={each} />
        ))}
    </>
  );
}

/** The report is no stage: its figures have a table. */
const reportStage = 'report';

function railOf({ kind }: Job, stages: readonly StageCurves[]): readonly Stage[] {
  const seen = stages.map(({ stage }) => stage).filter((name) => name !== reportStage);
  const names = kind === 'forge' ? [...forgeStages, ...seen.filter((name) => !forgeStages.includes(name))] : seen;
  return names.map(stageOf);
}

function isPast(name: string, { state, stage }: Job, current: string | undefined, rail: readonly Stage[]): boolean {
  if (state === 'succeeded' || stage === reportStage) return true;
  const order = rail.map((each) => each.name);
  return order.indexOf(name) < order.indexOf(stage === '' ? (current ?? '') : stage);
}

/** `NAME-a` is the model of stage A. */
function modelOf({ letter }: Stage, models: Job['models']): string | undefined {
  return letter === undefined ? undefined : models.find(({ name }) => name.endsWith(`-${letter.toLowerCase()}`))?.name;
}

interface StageCardProps {
  readonly stage: Stage;
  readonly curves: StageCurves | undefined;
  readonly isCurrent: boolean;
  readonly isPast: boolean;
  readonly model: string | undefined;
}

function StageCard({ stage, curves, isCurrent, isPast, model }: StageCardProps) {
  const { letter, label, learns, talks } = stage;
  const { step = 0, steps = 0 } = curves ?? {};
  const state = isPast ? 'done' : isCurrent ? 'running' : curves ? 'stopped' : 'to come';
  return (
    <li
      className={`stage ${isCurrent ? 'current' : isPast ? 'past' : ''}`}
      aria-current={isCurrent ? 'step' : undefined}
    >
      <p className="stage-name">
        {letter !== undefined && <span className="letter">{letter}</span>}
        {label}
      </p>
      <p className="muted">{learns}</p>
      <progress max={1} value={isPast ? 1 : steps === 0 ? 0 : step / steps} aria-label={`Progress of ${label}`} />
      <p className="stage-foot">
        <span className="muted">
          {state}
          {steps > 0 && !isPast && ` ${wholeNumber(step)} of ${wholeNumber(steps)}`}
        </span>
        {talks && model !== undefined && <Link to={addressOf('chat', { model })}>Chat with {letter}</Link>}
      </p>
    </li>
  );
}

function StageCharts({ curves: { stage: name, steps, byName } }: { readonly curves: StageCurves }) {
  const stage = stageOf(name);
  const [isOpen, setOpen] = useState(true);
  const shown = stage.shown.filter((each) => byName.has(each));
  const others = [...byName.keys()].filter((each) => !shown.includes(each)).sort();
  const chart = (each: string) => (
    <Chart key={each} title={figureLabel(each)} points={byName.get(each)!} steps={steps} say={figureText(each)} />
  );
  return (
    <section className="stage-charts" aria-label={`Curves of ${stage.label}`}>
      <h2>
        <button type="button" className="quiet heading" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <span className="chevron" aria-hidden="true" />
          {stage.letter !== undefined && <span className="letter">{stage.letter}</span>}
          {stage.label}
        </button>
      </h2>
      {isOpen && (
        <>
          <div className="charts">{(shown.length > 0 ? shown : others).map(chart)}</div>
          {shown.length > 0 && others.length > 0 && <MoreCharts names={others} chart={chart} />}
        </>
      )}
    </section>
  );
}

function MoreCharts({
  names,
  chart,
}: {
  readonly names: readonly string[];
  readonly chart: (name: string) => React.JSX.Element;
}) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="muted">{names.length} more</summary>
      {isOpen && <div className="charts">{names.map(chart)}</div>}
    </details>
  );
}

/** What each stage brought, on questions that none of them has seen. */
function Report({ figures }: { readonly figures: Figures }) {
  const share = (name: string): string => (figures[name] === undefined ? '' : percent(figures[name]));
  const number = (name: string, before = '', after = ''): string =>
    figures[name] === undefined ? '' : `${before}${figure(figures[name])}${after}`;
  const rows = [
    ['A  pre-trained', share('exact_a'), number('score_a'), number('val_bpb_a', '', ' bits/byte')],
    ['B  fine-tuned', share('exact_b'), number('score_b'), ''],
    [
      'C  reward model',
      '',
      '',
      figures['rm_pair_accuracy'] === undefined ? '' : `${share('rm_pair_accuracy')} of pairs in order`,
    ],
    [
      'D  reinforced',
      share('exact_d'),
      number('score_d'),
      [number('reward_gain', 'reward '), number('kl', 'KL ', ' nats')].filter(Boolean).join(', '),
    ],
  ].filter((row) => row.slice(1).some((cell) => cell !== ''));
  const tasks = [
    ...new Set(
      Object.keys(figures).flatMap((key) => {
        const task = /^exact_[abd]\/(.+)$/.exec(key)?.[1];
        return task === undefined ? [] : [task];
      }),
    ),
  ].sort();
  return (
    <section aria-labelledby="report">
      <h2 id="report">Held-out report</h2>
      <div className="tables">
        <Table caption="Models" head={['Model', 'right', 'verifier', 'more']} rows={rows} />
        {tasks.length > 0 && (
          <Table
            caption="Right, by task"
            head={['Task', 'A', 'B', 'D']}
            rows={tasks.map((task) => [task, ...['a', 'b', 'd'].map((letter) => share(`exact_${letter}/${task}`))])}
          />
        )}
      </div>
    </section>
  );
}

function Table({
  caption,
  head,
  rows,
}: {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}) {
  return (
    <div className="table">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map((each) => (
              <th key={each} scope="col">
                {each}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, ...cells]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {cells.map((cell, i) => (
                <td key={i}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
