/** Every service as a process of its own, over a real nats-server: what a cluster runs. */
import { fileURLToPath } from 'node:url';
import { onTestFailed, onTestFinished } from 'vitest';
import { type Bus, type BusEvent, createBus } from '@crucible/bus';
import { PolicyService } from '@crucible/protos/policy/v1';
import { RewardService } from '@crucible/protos/reward/v1';
import { TrainerService } from '@crucible/protos/trainer/v1';
import { type Client, createClient } from '@crucible/rpc';
import { freePort, type Program, startNatsServer, startProgram, temporaryFolder } from '@crucible/testing';

const crucible = fileURLToPath(new URL('../../../apps/cli/bin/crucible.mjs', import.meta.url));

const serviceNames = ['policy', 'reward', 'trainer', 'gateway'] as const;

type ServiceName = (typeof serviceNames)[number];

export interface System {
  readonly home: string;
  readonly bus: Bus;
  /** Everything that was said on the bus, in order. */
  readonly events: readonly BusEvent[];
  /** Of the HTTP API. */
  readonly url: string;
  readonly trainer: Client<typeof TrainerService>;
  readonly policy: Client<typeof PolicyService>;
  readonly reward: Client<typeof RewardService>;
  /** SIGKILL. */
  readonly kill: (name: ServiceName) => Promise<void>;
  /** Starts one that was killed, at its old port; resolves when it serves. */
  readonly restart: (name: ServiceName) => Promise<void>;
  /** SIGTERM to all; resolves with their exit codes. */
  readonly stop: () => Promise<Record<ServiceName, number | null>>;
}

export async function startSystem(): Promise<System> {
  const home = temporaryFolder();
  const nats = await startNatsServer();
  onTestFinished(() => nats.stop());
  const bus = await createBus(nats.url);
  onTestFinished(() => bus.close());
  const events: BusEvent[] = [];
  await bus.subscribe('crucible.>', {}, ({ event }) => void events.push(event));

  const ports = {
    policy: await freePort(),
    reward: await freePort(),
    trainer: await freePort(),
    gateway: await freePort(),
  };
  const env = {
    CRUCIBLE_HOME: home,
    CRUCIBLE_BUS: nats.url,
    CRUCIBLE_POLICY_TARGET: `127.0.0.1:${ports.policy}`,
    CRUCIBLE_LOG_LEVEL: 'info',
  };
  const running = new Map<ServiceName, Program>();
  const logs: string[] = [];
  const start = async (name: ServiceName): Promise<void> => {
    const program = startProgram(process.execPath, [crucible, 'serve', name, '--port', String(ports[name])], { env });
    running.set(name, program);
    void program.exited.then(({ code, signal, stderr }) => logs.push(`${name} (${signal ?? code}):\n${stderr}`));
    await program.says(/ serves"/, 120_000);
  };
  onTestFailed(() => {
    for (const [name, program] of running) logs.push(`${name}:\n${program.stderr()}`);
    process.stderr.write(`${logs.join('\n')}\n`);
  });
  await Promise.all(serviceNames.map(start));

  const target = (name: ServiceName): string => `127.0.0.1:${ports[name]}`;
  const clients = {
    trainer: createClient(TrainerService, target('trainer'), { deadlineMs: 120_000, waitForReady: true }),
    policy: createClient(PolicyService, target('policy'), { deadlineMs: 20_000, waitForReady: true }),
    reward: createClient(RewardService, target('reward'), { deadlineMs: 20_000, waitForReady: true }),
  };
  onTestFinished(() => {
    for (const client of Object.values(clients)) client.close();
  });
  return {
    home,
    bus,
    events,
    url: `http://${target('gateway')}`,
    ...clients,
    kill: async (name) => {
      await running.get(name)!.end('SIGKILL');
    },
    restart: start,
    stop: async () => {
      const codes = await Promise.all(
        serviceNames.map(async (name) => [name, (await running.get(name)!.end('SIGTERM', 60_000)).code] as const),
      );
      return Object.fromEntries(codes) as Record<ServiceName, number | null>;
    },
  };
}
