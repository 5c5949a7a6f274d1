/** Texts that tokenizers stumble over, drawn at random: for tests. */
import type { Random } from '@crucible/foundation';

/** Letters, marks and digits of blocks without unassigned places, so that all Unicode versions split them alike. */
const scripts: readonly (readonly [number, number])[] = [
  [0x61, 0x7a],
  [0x41, 0x5a],
  [0xc0, 0x24f],
  [0x300, 0x36f],
  [0x3b1, 0x3c9],
  [0x410, 0x44f],
  [0x5d0, 0x5ea],
  [0x621, 0x64a],
  [0x660, 0x669],
  [0x904, 0x939],
  [0x93e, 0x94d],
  [0xe01, 0xe30],
  [0x1100, 0x11ff],
  [0x2150, 0x218b],
  [0x2460, 0x249b],
  [0x3041, 0x3096],
  [0x30a1, 0x30fa],
  [0x4e00, 0x9fa5],
  [0xac00, 0xd7a3],
  [0xfb00, 0xfb06],
  [0xff10, 0xff5a],
  [0x10330, 0x1034a],
  [0x1d400, 0x1d454],
  [0x1d7ce, 0x1d7ff],
  [0x20000, 0x2a6d0],
];

const spaces = Array.from(' \t\n\r\v\f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u180e');

const fixed = [
  "'s",
  "'T",
  "'re",
  "'VE",
  "'ll",
  "'\u017f",
  '\u2019s',
  '<|end|>',
  '<|endoftext|>',
  '<|en',
  'd|>',
  '<|',
  '|>',
  '__proto__',
  'constructor',
  '\r\n',
  '\n\n',
  ' \n ',
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\u{1f44d}\u{1f3fd}',
  '\u{1f1e9}\u{1f1ea}',
  '1\ufe0f\u20e3',
  '\u202eabc\u202c',
  '\u200fa',
  'e\u0301\u0302\u0303',
  '\ufffd',
  '\uffff',
  '\ufdd0',
  '\u{10ffff}',
  '\ue000',
  '\u00ad',
  '3.14',
  '1,000',
  '#%&*()[]{}',
  '...',
  '---',
  '"\\',
  '\0',
  '\u001b[0m',
  '\u009f',
];

/** `malformed`: lone surrogates may occur. */
export function hostileText(random: Random, options: { malformed: boolean }): string {
  const fragments = Array.from({ length: random.integer(0, 12) }, () => fragment(random, options.malformed));
  return fragments.join(random.boolean(0.3) ? ' ' : '');
}

function fragment(random: Random, malformed: boolean): string {
  switch (random.integer(0, 7)) {
    case 0:
      return random.pick(fixed);
    case 1:
      return Array.from({ length: random.integer(1, 5) }, () => random.pick(spaces)).join('');
    case 2:
      return String.fromCharCode(random.integer(0, 0x7f));
    case 3:
      return random.pick([...fixed, 'a', '\u{1f600}', ' ']).repeat(random.integer(1, 60));
    case 4:
      return malformed ? String.fromCharCode(random.integer(0xd800, 0xdfff)) : random.pick(['\u2003', '-', 'x']);
    case 5:
      return Array.from({ length: random.integer(1, 8) }, () => character(random)).join('');
    default: {
      const script = random.pick(scripts);
      return Array.from({ length: random.integer(1, 10) }, () => String.fromCodePoint(random.integer(...script))).join(
        '',
      );
    }
  }
}

function character(random: Random): string {
  return String.fromCodePoint(random.integer(...random.pick(scripts)));
}

/** Bytes of any kind: noise, text, and text with damage. */
export function hostileBytes(random: Random): Uint8Array {
  if (random.boolean(0.3)) return Uint8Array.from({ length: random.integer(0, 60) }, () => random.integer(0, 255));
  const bytes = new TextEncoder().encode(hostileText(random, { malformed: false }));
  if (bytes.length > 0) {
    for (let damage = random.integer(0, 4); damage > 0; damage--) {
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
    }
  }
  return bytes.subarray(random.integer(0, Math.min(2, bytes.length)));
}
