import { describe, expect, it } from 'vitest';
import { seccompFilter } from './seccomp-filter.ts';

const auditOf = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

/** What the kernel does with the filter, for a call of the architecture: its steps are those of linux/filter.h. */
function judge(
  architecture: keyof typeof auditOf,
  call: number,
  args: readonly number[] = [],
  audit = auditOf[architecture],
) {
  const filter = seccompFilter(architecture);
  const program = new DataView(filter.buffer);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call, true);
  data.setUint32(4, audit, true);
  args.forEach((value, i) => data.setUint32(16 + 8 * i, value, true));
  let word = 0;
  for (let at = 0; ; at++) {
    const [code, ifTrue, ifFalse] = [0, 2, 3].map((byte) => program.getUint8(at * 8 + byte)) as [
      number,
      number,
      number,
    ];
    const operand = program.getUint32(at * 8 + 4, true);
    const jump = (holds: boolean): void => void (at += holds ? ifTrue : ifFalse);
    if (code === 0x20) word = data.getUint32(operand, true);
    else if (code === 0x15) jump(word === operand);
    else if (code === 0x25) jump(word > operand);
    else if (code === 0x35) jump(word >= operand);
    else if (code === 0x45) jump((word & operand) !== 0);
    else if (code === 0x06) {
      if (operand === 0x7fff0000) return 'allowed';
      if (operand === 0x80000000) return 'killed';
      return operand - 0x50000;
    } else throw new Error(`no instruction: ${code}`);
  }
}

const [EPERM, EINVAL, ENOTTY, ENOSYS, EAFNOSUPPORT] = [1, 22, 25, 38, 97];

describe('the filter of system calls', () => {
  it.each([
    ['read', 0, 63],
    ['openat', 257, 56],
    ['execve', 59, 221],
    ['futex', 202, 98],
    ['getrandom', 318, 278],
  ])('allows %s', (_name, x64, arm64) => {
    expect([judge('x64', x64), judge('arm64', arm64)]).toEqual(['allowed', 'allowed']);
  });

  it.each([
    ['ptrace', 101, 117],
    ['mount', 165, 40],
    ['unshare', 272, 97],
    ['setns', 308, 268],
    ['bpf', 321, 280],
    ['io_uring_setup', 425, 425],
    ['userfaultfd', 323, 282],
    ['perf_event_open', 298, 241],
    ['keyctl', 250, 219],
    ['process_vm_readv', 310, 270],
    ['memfd_create', 319, 279],
    ['init_module', 175, 105],
    ['setuid', 105, 146],
    ['one that is not invented yet', 999, 999],
  ])('refuses %s', (_name, x64, arm64) => {
    expect([judge('x64', x64), judge('arm64', arm64)]).toEqual([EPERM, EPERM]);
  });

  it('looks at arguments', () => {
    expect(judge('x64', 56, [0x11])).toBe('allowed');
    expect(judge('x64', 56, [0x10000011])).toBe(EPERM);
    expect(judge('arm64', 220, [0x40000011])).toBe(EPERM);
    expect(judge('x64', 41, [1])).toBe('allowed');
    expect([2, 10, 16, 17, 40].map((family) => judge('x64', 41, [family]))).toEqual(Array(5).fill(EAFNOSUPPORT));
    expect(judge('x64', 16, [0, 0x5401])).toBe('allowed');
    expect(judge('x64', 16, [0, 0x5412])).toBe(ENOTTY);
    expect(judge('x64', 157, [4])).toBe('allowed');
    expect(judge('x64', 157, [22])).toBe(EINVAL);
  });

  it('lets libraries fall back from clone3, and knows no other architecture', () => {
    expect([judge('x64', 435), judge('arm64', 435)]).toEqual([ENOSYS, ENOSYS]);
    expect(judge('x64', 0x40000000)).toBe(ENOSYS);
    expect(judge('x64', 0, [], auditOf.arm64)).toBe('killed');
  });
});
