/** Texts that tokenizers stumble over, drawn at random: for tests. */
import type { Random } from '@crucible/foundation';

/** Letters, marks, digits and signs, by block. */
const scripts: readonly (readonly [number, number])[] = [
  [0x61, 0x7a],
  [0x41, 0x5a],
  [0xa0, 0x24f],
  [0x250, 0x2ff],
  [0x300, 0x36f],
  [0x370, 0x3ff],
  [0x400, 0x4ff],
  [0x591, 0x5ea],
  [0x600, 0x6ff],
  [0x900, 0x97f],
  [0xb80, 0xbff],
  [0xe01, 0xe5b],
  [0xf00, 0xfff],
  [0x1100, 0x11ff],
  [0x1e00, 0x1fff],
  [0x2000, 0x206f],
  [0x2070, 0x209c],
  [0x20a0, 0x20c1],
  [0x2100, 0x218b],
  [0x2460, 0x24ff],
  [0x3041, 0x30ff],
  [0x3130, 0x33ff],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfb00, 0xfb4f],
  [0xfe20, 0xfe2f],
  [0xff01, 0xffef],
  [0x10330, 0x1034a],
  [0x1d100, 0x1d1ff],
  [0x1d400, 0x1d7ff],
  [0x1e900, 0x1e95f],
  [0x1f000, 0x1faff],
  [0x20000, 0x2a6df],
  [0x30000, 0x33479],
  [0xe0020, 0xe007f],
];

const spaces = Array.from(' \t\n\r\v\f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u180e\u001c');

const words = (
  "the of and iron crucible Iron IRON heat heated isn't we'll They've glowing unbelievably 1200 3.14159 forge " +
  'Željezo größer naïve сталь ΣΊΔΗΡΟΣ İstanbul stra\u00dfe \u4e2d\u6587\u5b57 \u306f\u71b1\u3044\u3046\u3061 \ucca0\uc740 \u0627\u0644\u062d\u062f\u064a\u062f \u05d1\u05e8\u05d6\u05dc \u0932\u094b\u0939\u093e \u0e40\u0e2b\u0e25\u0e47\u0e01 snake_case camelCase x1y2'
).split(' ');

const fixed = [
  "'s",
  "'T",
  "'re",
  "'VE",
  "'ll",
  "'\u017f",
  "'\u212a",
  '\u2019s',
  "''",
  '``',
  '__proto__',
  'constructor',
  '\r\n',
  '\n\n',
  ' \n ',
  '\r',
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\u{1f44d}\u{1f3fd}',
  '\u{1f1e9}\u{1f1ea}',
  '1\ufe0f\u20e3',
  '\u{1f3f4}\u{e0067}\u{e0062}\u{e007f}',
  '\u202eabc\u202c',
  '\u200fa',
  'e\u0301\u0302\u0303',
  'q\u0307\u0323',
  '\u1e9b\u0323',
  '\u212b',
  'A\u030a',
  '\u1100\u1161\u11a8',
  '\u0344',
  '\u0f73\u0f71',
  '\u{1d15f}',
  '\u0958',
  '\u{105d2}\u0307',
  '\u03a3',
  '\u01c5',
  '\ufb01',
  '\u334d',
  '\ufdfa',
  '\u0600a',
  'a\u0903',
  '\u0915\u094d\u0937',
  '\u0295',
  '\u166d',
  '\u1734',
  '\u02bc',
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
  ' .',
  " n't",
  '"\\',
  '\0',
  '\u0001',
  '\u007f',
  '\u001b[0m',
  '\u009f',
  '\u2581',
  '\u2581\u2581the',
  '\u0120the',
  '##ing',
  '</w>',
];

/** What is a special token somewhere, or nearly. */
const lookalikes = [
  '<|end|>',
  '<|endoftext|>',
  '<|im_start|>',
  '<|en',
  'd|>',
  '<|',
  '|>',
  '<s>',
  '</s>',
  '<unk>',
  '<pad>',
  '<mask>',
  '\uff1c/s\uff1e',
  '\uff1cunk\uff1e',
  '[CLS]',
  '[SEP]',
  '[MASK]',
  '[UNK]',
  '[mask]',
  '[ SEP ]',
  '[',
  '<extra_id_0>',
  '<think>',
  '<tool_call>',
  '<0x0A>',
  '<0xff>',
  '<x>',
  'iron',
  '\u00c5ngstrom',
  'A\u030angstrom',
];

/** `malformed`: lone surrogates may occur. */
export function hostileText(random: Random, options: { malformed: boolean }): string {
  const fragments = Array.from({ length: random.integer(0, 12) }, () => fragment(random, options.malformed));
  return fragments.join(random.boolean(0.3) ? ' ' : '');
}

function fragment(random: Random, malformed: boolean): string {
  switch (random.integer(0, 11)) {
    case 0:
    case 1:
      return random.pick(fixed);
    case 2:
      return some(random, 5, () => random.pick(spaces));
    case 3:
      return String.fromCharCode(random.integer(0, 0x7f));
    case 4:
      return random.pick([...fixed, ...words, 'a', '\u{1f600}', ' ', '\n']).repeat(random.integer(1, 60));
    case 5:
      return malformed ? String.fromCharCode(random.integer(0xd800, 0xdfff)) : random.pick(['\u2003', '-', 'x']);
    case 6:
      return some(random, 8, () => inScript(random, random.pick(scripts)));
    case 7:
      return random.pick(lookalikes);
    case 8:
      // Of a whole plane, assigned or not.
      return some(random, 4, () =>
        String.fromCodePoint(random.pick([random.integer(0, 0xd7ff), random.integer(0xe000, 0x10ffff)])),
      );
    case 9:
    case 10:
      return some(random, 6, () => `${random.pick(['', ' ', ' '])}${random.pick(words)}`);
    default: {
      const script = random.pick(scripts);
      return some(random, 10, () => inScript(random, script));
    }
  }
}

/** One to `most` draws, joined. */
function some(random: Random, most: number, draw: () => string): string {
  return Array.from({ length: random.integer(1, most) }, draw).join('');
}

function inScript(random: Random, script: readonly [number, number]): string {
  return String.fromCodePoint(random.integer(...script));
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
