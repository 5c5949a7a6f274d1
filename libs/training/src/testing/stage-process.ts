/** For tests: a process of its own that runs one tiny stage: `stage-process.ts STAGE FOLDER STEPS`. */
import { createHash } from 'node:crypto';
import type { StageName } from '../stage.ts';
import { StageCheckpoint } from '../stage-checkpoint.ts';
import { valuesOf } from './gradients.ts';
import { runTinyStage } from './tiny-stages.ts';

const [stage, folder, steps] = process.argv.slice(2);
const context = { checkpoint: new StageCheckpoint(folder!), checkpointSeconds: 0 };
const weights = await runTinyStage(stage as StageName, context, {
  steps: Number(steps),
  onStep: (n) => process.stdout.write(`step ${n}\n`),
});
process.stdout.write(`done ${hashOf(weights)}\n`);

function hashOf(tree: object): string {
  const hash = createHash('sha256');
  for (const [path, values] of Object.entries(valuesOf(tree))) hash.update(path).update(values);
  return hash.digest('hex');
}
