import { join } from 'node:path';
import { ActorService } from '@crucible/protos/actor/v1';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { SandboxService } from '@crucible/protos/sandbox/v1';
import { createClient } from '@crucible/rpc';
import type { CrucibleClients } from '@crucible/actor';
import type { Settings } from '@crucible/service';
import { host } from './hosting.ts';
import { findRunning } from './run-file.ts';

export interface ActorAccess extends AsyncDisposable {
  readonly clients: CrucibleClients;
}

/**
 * The actor that $CRUCIBLE_ACTOR_TARGET names, with the retriever and the sandbox of the settings; or those of a running
 * `crucible up` in the same home; where there is none, all that it takes in this process.
 */
export async function accessActor(settings: Settings): Promise<ActorAccess> {
  const { actor, retriever, sandbox } = settings.targets;
  const running = settings.actor.target === undefined ? findRunning(settings.home) : { actor, retriever, sandbox };
  if (running !== undefined) {
    const clients = clientsOf(running);
    return {
      clients,
      [Symbol.asyncDispose]: () => {
        close(clients);
        return Promise.resolve();
      },
    };
  }
  const bus = settings.bus.startsWith('embedded:') ? settings.bus : `embedded:${join(settings.home, 'bus')}`;
  const ports = { ...settings.ports, policy: 0, retriever: 0, sandbox: 0, actor: 0 };
  const hosted = await host(
    { ...settings, bus, host: '127.0.0.1', ports },
    ['policy', 'retriever', 'sandbox', 'actor'],
    'error',
  );
  const { services } = hosted;
  const clients = clientsOf({
    actor: services.actor!.target,
    retriever: services.retriever!.target,
    sandbox: services.sandbox!.target,
  });
  return {
    clients,
    [Symbol.asyncDispose]: async () => {
      close(clients);
      await hosted.close(2000);
    },
  };
}

function clientsOf(targets: Readonly<Record<keyof CrucibleClients, string>>): CrucibleClients {
  return {
    actor: createClient(ActorService, targets.actor, { waitForReady: true }),
    retriever: createClient(RetrieverService, targets.retriever, { waitForReady: true }),
    sandbox: createClient(SandboxService, targets.sandbox, { waitForReady: true }),
  };
}

function close(clients: CrucibleClients): void {
  for (const client of Object.values(clients)) (client as CrucibleClients['actor']).close();
}
