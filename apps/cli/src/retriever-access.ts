import { join } from 'node:path';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { type Client, createClient } from '@crucible/rpc';
import type { Settings } from '@crucible/service';
import { host } from './hosting.ts';
import { findRunning } from './run-file.ts';

export interface RetrieverAccess extends AsyncDisposable {
  readonly client: Client<typeof RetrieverService>;
  /** Whether the retriever lives in this process, so that jobs stop when it does. */
  readonly isOwn: boolean;
}

/**
 * The retriever that $CRUCIBLE_RETRIEVER_TARGET names, or else that of a running `crucible up` in the same home; where there is
 * none, one in this process.
 */
export async function accessRetriever(settings: Settings): Promise<RetrieverAccess> {
  const target = settings.retriever.target ?? findRunning(settings.home)?.retriever;
  if (target !== undefined) {
    const client = clientOf(target);
    return {
      client,
      isOwn: false,
      [Symbol.asyncDispose]: () => {
        client.close();
        return Promise.resolve();
      },
    };
  }
  const bus = settings.bus.startsWith('embedded:') ? settings.bus : `embedded:${join(settings.home, 'bus')}`;
  const hosted = await host({ ...settings, bus, ports: { ...settings.ports, retriever: 0 } }, ['retriever'], 'error');
  const client = clientOf(hosted.services.retriever!.target);
  return {
    client,
    isOwn: true,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await hosted.close(2000);
    },
  };
}

function clientOf(target: string): Client<typeof RetrieverService> {
  return createClient(RetrieverService, target, {
    retry: [
      'search',
      'getDocument',
      'listDocuments',
      'listCollections',
      'submitJob',
      'getJob',
      'listJobs',
      'cancelJob',
    ],
    waitForReady: true,
    deadlineMs: 300_000,
  });
}
