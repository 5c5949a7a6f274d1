import type { ModelVersion } from '@crucible/checkpoint';
import { PolicyService } from '@crucible/protos/policy/v1';
import { RewardService } from '@crucible/protos/reward/v1';
import { createClient } from '@crucible/rpc';
import type { Settings } from '@crucible/service';
import { findRunning } from './run-file.ts';

/** Loading a large model takes its time. */
const deadlineMs = 600_000;

/** Tells a running `crucible up` with the same home of a version that no job made, so that it serves it. */
export async function announceModel(
  settings: Settings,
  { kind, name, version, uri, sha256 }: ModelVersion,
): Promise<void> {
  const running = findRunning(settings.home);
  if (!running || (kind !== 'language' && kind !== 'scalar')) return;
  const update = { model: name, version, uri, sha256 };
  using client =
    kind === 'language'
      ? disposable(createClient(PolicyService, running.policy, { deadlineMs }))
      : disposable(createClient(RewardService, running.reward, { deadlineMs }));
  await client.updateWeights(update);
}

function disposable<C extends { close: () => void }>(client: C): C & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}
