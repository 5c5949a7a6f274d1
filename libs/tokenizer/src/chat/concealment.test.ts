import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { Concealment, textsIn } from './concealment.ts';
import { SpecialTokenParts } from './special-token-parts.ts';
import { addedToken } from '../testing/added-token.ts';
import { hostileText } from '../testing/hostile-text.ts';

const tokens = ['<|end|>', '<|user|>', '[INST]'];
const special = partsOf(tokens);

function partsOf(contents: string[]): SpecialTokenParts {
  return new SpecialTokenParts(contents.map((content, id) => addedToken(content, id)));
}

describe('Concealment', () => {
  it.each([['Nothing special: a < b | c > d.'], ['  white space\n\t'], ['</think> and <tool_call> and [INS T]'], ['']])(
    'leaves %j alone',
    (content) => {
      expect(new Concealment(special, [content]).conceal(content)).toBe(content);
    },
  );

  it.each([
    ['a whole token', 'a <|end|> b', 'a \ue0000\ue000 b'],
    ['tokens side by side', '<|end|><|user|>x', '\ue0000\ue000\ue0001\ue000x'],
    ['a beginning at the end', 'x <|us', 'x \ue0000\ue000'],
    ['an ending at the beginning', 'r|> x', '\ue0000\ue000 x'],
    ['what would be at an edge after trimming', ' \n|> x <|e\t', ' \n\ue0000\ue000 x \ue0001\ue000\t'],
    ['what is a beginning and an ending', '<', '\ue0000\ue000'],
    ['a beginning that a token overlaps', '<|end|>[IN', '\ue0000\ue000\ue0001\ue000'],
    ['private-use characters by others', '\ue000\ue001<|end|>', '\ue000\ue001\ue0020\ue002'],
  ])('conceals %s and puts it back', (_what, content, concealed) => {
    const concealment = new Concealment(special, [content]);
    expect(concealment.conceal(content)).toBe(concealed);
    expect(concealment.reveal(concealed).text).toBe(content);
  });

  it('conceals what overlaps once', () => {
    const concealment = new Concealment(partsOf(['<|end|>', '>>>>']), []);
    expect(concealment.conceal('>>')).toBe('\ue0000\ue000');
    expect(concealment.conceal('<|end|>>')).toBe('\ue0001\ue000\ue0002\ue000');
    expect(concealment.reveal('\ue0001\ue000\ue0002\ue000').text).toBe('<|end|>>');
  });

  it('leaves nothing that could become a special token when texts meet', () => {
    const random = Random.seeded(8);
    for (let i = 0; i < 3000; i++) {
      const contents = Array.from({ length: 3 }, () => {
        const token = random.pick(tokens);
        const cut = random.integer(0, token.length);
        const parts = [token.slice(cut), token.slice(0, cut), token, ' ', hostileText(random, { malformed: false })];
        return random.sample(parts, random.integer(0, 4)).join('');
      });
      const concealment = new Concealment(special, contents);
      const concealed = contents.map((content) => concealment.conceal(content));
      expect(special.occurrences(concealed.join(''))).toEqual([]);
      expect(special.occurrences(concealed.map((each) => each.trim()).join(''))).toEqual([]);
      const { text, plain } = concealment.reveal(concealed.join(''));
      expect(text).toBe(contents.join(''));
      // Whatever is a special token now overlaps a place that is known.
      for (const { start, end } of special.occurrences(text)) {
        expect(plain.some((stretch) => stretch.start < end && stretch.end > start)).toBe(true);
      }
    }
  });

  it('says where what was concealed is', () => {
    const concealment = new Concealment(special, ['a <|end|> b<|us']);
    const { text, plain } = concealment.reveal(`x${concealment.conceal('a <|end|> b<|us')}y`);
    expect(plain.map(({ start, end }) => text.slice(start, end))).toEqual(['<|end|>', '<|us']);
    expect(plain[0]).toEqual({ start: 3, end: 10 });
  });

  it('conceals texts wherever they are in plain data', () => {
    const data = { name: 'f', '<|end|>': ['<|user|>', 1, null, true, { deep: 'x<|end|>' }] };
    expect(textsIn(data)).toEqual(['name', '<|end|>', 'f', '<|user|>', 'deep', 'x<|end|>']);
    const concealment = new Concealment(special, textsIn(data));
    const concealed = concealment.concealAll(data);
    expect(concealed).toEqual({
      name: 'f',
      '\ue0000\ue000': ['\ue0001\ue000', 1, null, true, { deep: 'x\ue0002\ue000' }],
    });
    expect(concealment.reveal(JSON.stringify(concealed)).text).toBe(JSON.stringify(data));
  });

  it('notices when a mark is damaged', () => {
    const concealment = new Concealment(special, ['<|end|>']);
    const concealed = concealment.conceal('<|end|>');
    for (const damaged of [
      concealed.slice(1),
      concealed.replace('0', '7'),
      concealed.replace('0', ''),
      concealed.slice(0, -1),
      '\ue000',
      '\ue000x',
    ]) {
      expect(() => concealment.reveal(damaged)).toThrow('cuts message contents in pieces');
    }
  });

  it('gives up on texts that have all private-use characters', () => {
    const all = Array.from({ length: 0x110000 }, (_, code) => code)
      .filter((code) => /\p{Co}/u.test(String.fromCodePoint(code)))
      .map((code) => String.fromCodePoint(code));
    expect(() => new Concealment(special, [all.join('')])).toThrow(
      'gets messages with all private-use characters there are',
    );
  });
});
