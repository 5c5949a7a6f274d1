/** How fast small programs run behind each boundary, and whether a hostile one gets through. */
import { CrucibleError } from '@crucible/foundation';
import { type BoundaryName, boundaryNames, openBoundary, Sandbox } from '@crucible/sandbox';
import { attack } from '@crucible/sandbox/testing';
import type { Benchmark } from './benchmark.ts';
import { medianOf } from './median.ts';

/** What a model writes for a calculation. */
const program = {
  code: 'def solution():\n    price = 9283\n    amount = 31231.231\n    return price * amount',
  expression: 'solution()',
  limits: { wallMs: 60_000 },
};
const expected = '289919517.373';

const timed: Readonly<Record<BoundaryName, number>> = { bubblewrap: 60, pyodide: 20 };
const sustained = 100;
const concurrency = 3;

export const sandbox: Benchmark<
  'bwrap_p50_ms' | 'pyodide_p50_ms' | 'runs_per_s' | 'hostile_total' | 'hostile_through'
> = {
  description: 'small Python programs in the sandbox, and hostile ones, behind each boundary that this machine has',
  metrics: {
    bwrap_p50_ms: { meaning: 'a run in bubblewrap when an interpreter waits, median', unit: 'ms' },
    pyodide_p50_ms: { meaning: 'a run in Pyodide when an interpreter waits, median', unit: 'ms' },
    runs_per_s: { meaning: `${sustained} runs behind the strongest boundary, ${concurrency} at a time`, unit: '1/s' },
    hostile_total: { meaning: 'hostile programs run, over all boundaries', unit: 'count' },
    hostile_through: { meaning: 'of them not held', unit: 'count' },
  },
  run: async (report) => {
    const p50: Partial<Record<BoundaryName, number>> = {};
    const missing: string[] = [];
    let runsPerSecond: number | null = null;
    let [total, through] = [0, 0];
    for (const name of boundaryNames) {
      try {
        p50[name] = await medianRun(name);
        report(`${name}: ${p50[name].toFixed(1)} ms`);
      } catch (reason) {
        missing.push(CrucibleError.from(reason).message);
        continue;
      }
      runsPerSecond ??= await sustainedRate(name);
      const findings = await attack(
        await openBoundary(name),
        () => true,
        ({ number, name: title, outcome, breaches }) =>
          report([`${name}: ${number} ${title}: ${outcome}`, ...breaches].join('; ')),
      );
      total += findings.length;
      through += findings.filter(({ breaches }) => breaches.length > 0).length;
    }
    return {
      bwrap_p50_ms: p50.bubblewrap ?? null,
      pyodide_p50_ms: p50.pyodide ?? null,
      runs_per_s: runsPerSecond,
      hostile_total: total,
      hostile_through: through,
      ...(missing.length > 0 && { note: missing.join('; ') }),
    };
  },
};

async function medianRun(name: BoundaryName): Promise<number> {
  await using box = new Sandbox(await openBoundary(name), { concurrency: 1, warm: 1 });
  const times: number[] = [];
  for (let i = 0; i < timed[name]; i++) {
    await box.warmUp();
    const begun = performance.now();
    await runOnce(box);
    times.push(performance.now() - begun);
  }
  return medianOf(times);
}

/** New interpreters are started meanwhile. */
async function sustainedRate(name: BoundaryName): Promise<number> {
  await using box = new Sandbox(await openBoundary(name), { concurrency, queue: sustained, warm: concurrency });
  await box.warmUp();
  const begun = performance.now();
  await Promise.all(Array.from({ length: sustained }, () => runOnce(box)));
  return sustained / ((performance.now() - begun) / 1000);
}

async function runOnce(box: Sandbox): Promise<void> {
  const { value, message } = await box.run(program);
  if (value?.json !== expected)
    throw new CrucibleError('internal', `internal: ${expected} was expected: ${value?.json ?? message}`);
}
