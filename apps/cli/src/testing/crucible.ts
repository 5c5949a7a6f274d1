/** The real command, as a process of its own. */
import { fileURLToPath } from 'node:url';
import { type Ending, type Program, type ProgramOptions, startProgram } from '@crucible/testing';

const bin = fileURLToPath(new URL('../../bin/crucible.mjs', import.meta.url));

/** Settings of the machine that runs the tests must not reach them. */
const noSettings = {
  ...Object.fromEntries(
    Object.keys(process.env).flatMap((name) => (name.startsWith('CRUCIBLE_') ? [[name, undefined]] : [])),
  ),
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
};

export function startCrucible(args: readonly string[], { env, ...options }: ProgramOptions = {}): Program {
  return startProgram(process.execPath, [bin, ...args], { ...options, env: { ...noSettings, ...env } });
}

/** The command in a pipe to one that reads nothing; its exit code is the last thing on standard error. */
export function crucibleUnread(args: readonly string[]): Promise<Ending> {
  const pipe = '{ "$0" "$@"; echo $? >&2; } | true';
  return startProgram('/bin/sh', ['-c', pipe, process.execPath, bin, ...args], { env: noSettings }).exited;
}

export function crucible(args: readonly string[], options?: ProgramOptions): Promise<Ending> {
  return startCrucible(args, options).exited;
}

/** Ports that the system picks. */
export const freePorts = {
  CRUCIBLE_GATEWAY_PORT: '0',
  CRUCIBLE_POLICY_PORT: '0',
  CRUCIBLE_REWARD_PORT: '0',
  CRUCIBLE_TRAINER_PORT: '0',
  CRUCIBLE_RETRIEVER_PORT: '0',
  CRUCIBLE_SANDBOX_PORT: '0',
  CRUCIBLE_ACTOR_PORT: '0',
};
