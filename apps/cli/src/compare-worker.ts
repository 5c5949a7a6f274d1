/** The process that measures cells of a comparison: what it has had in memory is that of its cells. */
import { readFileSync } from 'node:fs';
import { resolveSettings, serveWorker } from '@crucible/service';
import { useCompileCache } from '@crucible/tensor';
import { type Cell, type CellResult, CellRunner, type Comparison } from '@crucible/tuning';

export interface CompareMethods {
  run: {
    args: { readonly comparison: Comparison; readonly cell: Cell };
    result: CellResult;
    item: { readonly step: number; readonly steps: number; readonly loss: number };
  };
}

useCompileCache(resolveSettings().cache);

let runner: CellRunner | undefined;

serveWorker<CompareMethods>({
  run: async ({ comparison, cell }, { signal, emit }) => {
    runner ??= new CellRunner(comparison);
    let last = 0;
    const result = await runner.run(cell, {
      signal,
      report: ({ step, steps, loss }) => {
        if (performance.now() - last < 250) return;
        last = performance.now();
        void emit({ step, steps, loss });
      },
    });
    return { ...result, memoryBytes: peakMemory() };
  },
});

/** Bytes. What the kernel counts for this program alone; elsewhere than on Linux what it counts for the process. */
function peakMemory(): number {
  try {
    const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kibibytes !== undefined) return Number(kibibytes) * 1024;
  } catch {
    // No Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
