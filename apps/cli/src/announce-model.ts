import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelVersion } from '@crucible/checkpoint';
import { PolicyService } from '@crucible/protos/policy/v1';
import { RewardService } from '@crucible/protos/reward/v1';
import { createClient } from '@crucible/rpc';
import type { Settings } from '@crucible/service';
import { promptFile } from '@crucible/tuning';
import { findRunning } from './run-file.ts';

/** Loading a large model takes its time. */
export const loadDeadlineMs = 600_000;

/** Tells a running `crucible up` with the same home of a version that no job made, so that it serves it. */
export async function announceModel(
  settings: Settings,
  { kind, name, version, uri, sha256, parent, folder }: ModelVersion,
): Promise<void> {
  const running = findRunning(settings.home);
  if (!running || kind === 'embedding') return;
  // An encoder by itself is served by nobody; one with a prompt is.
  if (kind === 'masked-language' && !existsSync(join(folder, promptFile))) return;
  const update = { model: name, version, uri, sha256 };
  if (kind === 'adapter') {
    using client = disposable(createClient(PolicyService, running.policy, { deadlineMs: loadDeadlineMs }));
    const { models } = await client.getModelInfo({});
    const base = parent?.split('@')[0];
    // Its model may not be one that is served.
    if (base !== undefined && models.some((model) => model.name === base))
      await client.loadAdapter({ ...update, model: base, adapter: name });
    return;
  }
  using client =
    kind !== 'scalar'
      ? disposable(createClient(PolicyService, running.policy, { deadlineMs: loadDeadlineMs }))
      : disposable(createClient(RewardService, running.reward, { deadlineMs: loadDeadlineMs }));
  await client.updateWeights(update);
}

function disposable<C extends { close: () => void }>(client: C): C & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}
