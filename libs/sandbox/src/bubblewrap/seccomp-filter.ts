/**
 * The filter of system calls as the kernel takes it: a program of classic BPF over `struct seccomp_data`
 * (linux/seccomp.h, linux/bpf_common.h), which bubblewrap installs before the interpreter starts.
 */
import { CrucibleError } from '@crucible/foundation';
import { allowedCalls, specialCalls } from './system-calls.ts';

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** Load a word at an offset; jump on equal, greater, greater or equal, any bit set; return. */
const [load, equal, greater, atLeast, anyBit, give] = [0x20, 0x15, 0x25, 0x35, 0x45, 0x06];

const allow = 0x7fff0000;
const killProcess = 0x80000000;
const refuse = (errno: number): number => 0x00050000 | errno;
const [eperm, einval, enotty, enosys, eafnosupport] = [1, 22, 25, 38, 97];

/** Offsets in `struct seccomp_data`; arguments are 64 bits wide, their low halves first. */
const numberAt = 0;
const archAt = 4;
const argumentAt = (index: number): number => 16 + 8 * index;

const architectures = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
} as const;

export type FilteredArchitecture = keyof typeof architectures;

/** New user, process, network, mount, name, IPC and control-group namespaces (CLONE_NEW*). */
const namespaceFlags = 0x7e020000;

/** AF_UNIX, for pairs of sockets within the program; there is no network. */
const localSockets = 1;

/** Questions about terminals and pipes, and how descriptors behave. Putting characters into a terminal is not among them. */
const harmlessIoctls = [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451, 0x5452, 0x540f, 0x5429];

/** Names, signals at the parent's death, dumpability, capabilities that there are, names of memory. */
const harmlessPrctls = [1, 2, 3, 4, 15, 16, 23, 38, 39, 0x53564d41];

export function isFilteredArchitecture(architecture: string): architecture is FilteredArchitecture {
  return Object.hasOwn(architectures, architecture);
}

/** The bytes that `bwrap --seccomp` reads. */
export function seccompFilter(architecture: FilteredArchitecture): Uint8Array {
  const { audit, column } = architectures[architecture];
  const special = Object.fromEntries(
    Object.entries(specialCalls).map(([name, numbers]) => [name, numbers[column]]),
  ) as Record<keyof typeof specialCalls, number>;
  const program: Instruction[] = [
    [load, 0, 0, archAt],
    [equal, 1, 0, audit],
    [give, 0, 0, killProcess],
    [load, 0, 0, numberAt],
    // The x32 calls of x86-64 have this bit set. No number on arm64 comes near it.
    [atLeast, 0, 1, 0x40000000],
    [give, 0, 0, refuse(enosys)],
    ...rangesOf(Object.values(allowedCalls).flatMap((numbers) => numbers[column] ?? [])).flatMap(allowRange),
    // Its flags lie in memory, where a filter cannot look; the C library then uses clone.
    ...when(special.clone3, [[give, 0, 0, refuse(enosys)]]),
    ...when(special.clone, [
      [load, 0, 0, argumentAt(0)],
      [anyBit, 0, 1, namespaceFlags],
      [give, 0, 0, refuse(eperm)],
      [give, 0, 0, allow],
    ]),
    ...when(special.socket, onlyArgument(0, [localSockets], eafnosupport)),
    ...when(special.ioctl, onlyArgument(1, harmlessIoctls, enotty)),
    ...when(special.prctl, onlyArgument(0, harmlessPrctls, einval)),
    [give, 0, 0, refuse(eperm)],
  ];
  return encode(program);
}

/** Runs `then`, which must return, where the call has the number. */
function when(number: number, then: readonly Instruction[]): Instruction[] {
  return [[equal, 0, then.length, number], ...then];
}

function onlyArgument(index: number, values: readonly number[], errno: number): Instruction[] {
  return [
    [load, 0, 0, argumentAt(index)],
    ...values.flatMap((value): Instruction[] => [
      [equal, 0, 1, value],
      [give, 0, 0, allow],
    ]),
    [give, 0, 0, refuse(errno)],
  ];
}

function allowRange([first, last]: readonly [number, number]): Instruction[] {
  return [
    [atLeast, 0, 2, first],
    [greater, 1, 0, last],
    [give, 0, 0, allow],
  ];
}

/** Neighbours together, so that a call is found after few comparisons. */
function rangesOf(numbers: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

function encode(program: readonly Instruction[]): Uint8Array {
  if (program.length > 4096) throw new CrucibleError('internal', `internal: ${program.length} instructions`);
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(([code, ifTrue, ifFalse, operand], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, ifTrue);
    view.setUint8(i * 8 + 3, ifFalse);
    view.setUint32(i * 8 + 4, operand, true);
  });
  return bytes;
}
