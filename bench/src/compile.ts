import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Benchmark } from './benchmark.ts';
import { medianOf } from './median.ts';

/** What `compile-once.ts` prints. */
export interface Compilation {
  readonly seconds: number;
  readonly isCached: boolean;
  readonly nodes: number;
  readonly traceMs: number;
  readonly rewriteMs: number;
  readonly sessionMs: number;
}

const rounds = 3;

/** A process of its own each time: nothing is warm but what the disk keeps. */
export const compileBenchmark: Benchmark<
  'compile_s' | 'cached_s' | 'trace_s' | 'rewrite_s' | 'session_s' | 'cached_session_s' | 'nodes'
> = {
  description:
    'compiles the training step of SmolLM2-135M (30 layers, T=512; forward, backward, AdamW of all parameters), ' +
    'in new processes, without and with the cache on the disk',
  metrics: {
    compile_s: { meaning: 'without the cache, median', unit: 's' },
    cached_s: { meaning: 'with it, median', unit: 's' },
    trace_s: { meaning: 'of compile_s and of cached_s: tracing', unit: 's' },
    rewrite_s: { meaning: 'of compile_s: rewriting and lowering', unit: 's' },
    session_s: { meaning: "of compile_s: ONNX Runtime's optimization and session", unit: 's' },
    cached_session_s: { meaning: 'of cached_s: its session', unit: 's' },
    nodes: { meaning: 'of the ONNX graph', unit: '' },
  },
  run: async (report) => {
    const cold: Compilation[] = [];
    const warm: Compilation[] = [];
    for (let round = 1; round <= rounds; round++) {
      const folder = mkdtempSync(join(tmpdir(), 'crucible-bench-'));
      try {
        cold.push(await compileOnce(folder));
        warm.push(await compileOnce(folder));
        if (cold.at(-1)!.isCached || !warm.at(-1)!.isCached)
          throw new Error('internal: the cache was not used as meant');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      report(
        `round ${round} of ${rounds}: ${cold.at(-1)!.seconds.toFixed(2)} s, cached ${warm.at(-1)!.seconds.toFixed(2)} s`,
      );
    }
    const median = (runs: readonly Compilation[], pick: (run: Compilation) => number): number =>
      medianOf(runs.map(pick));
    return {
      compile_s: median(cold, ({ seconds }) => seconds),
      cached_s: median(warm, ({ seconds }) => seconds),
      trace_s: median([...cold, ...warm], ({ traceMs }) => traceMs / 1000),
      rewrite_s: median(cold, ({ rewriteMs }) => rewriteMs / 1000),
      session_s: median(cold, ({ sessionMs }) => sessionMs / 1000),
      cached_session_s: median(warm, ({ sessionMs }) => sessionMs / 1000),
      nodes: cold[0]!.nodes,
    };
  },
};

async function compileOnce(folder: string): Promise<Compilation> {
  const script = join(import.meta.dirname, 'compile-once.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, folder]);
  return JSON.parse(stdout) as Compilation;
}
