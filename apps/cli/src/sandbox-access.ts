import { SandboxService } from '@crucible/protos/sandbox/v1';
import { type Client, createClient } from '@crucible/rpc';
import type { Settings } from '@crucible/service';
import { host } from './hosting.ts';
import { findRunning } from './run-file.ts';

export interface SandboxAccess extends AsyncDisposable {
  readonly sandbox: Client<typeof SandboxService>;
}

/**
 * The sandbox that $CRUCIBLE_SANDBOX_TARGET names, or else that of a running `crucible up` in the same home; where there
 * is none, one in this process. A boundary that is asked for needs a sandbox of its own.
 */
export async function accessSandbox(settings: Settings): Promise<SandboxAccess> {
  const { target, boundary } = settings.sandbox;
  const running = target ?? (boundary === 'auto' ? findRunning(settings.home)?.sandbox : undefined);
  if (running !== undefined) {
    const sandbox = createClient(SandboxService, running, {});
    return {
      sandbox,
      [Symbol.asyncDispose]: () => {
        sandbox.close();
        return Promise.resolve();
      },
    };
  }
  const own: Settings = { ...settings, bus: 'embedded:', host: '127.0.0.1', ports: { ...settings.ports, sandbox: 0 } };
  const hosted = await host(own, ['sandbox'], 'silent');
  const sandbox = createClient(SandboxService, hosted.services.sandbox!.target, {});
  return {
    sandbox,
    [Symbol.asyncDispose]: async () => {
      sandbox.close();
      await hosted.close(1000);
    },
  };
}
