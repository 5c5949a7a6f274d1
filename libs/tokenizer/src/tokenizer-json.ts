/**
 * The format tokenizer.json of Hugging Face's `tokenizers`, as far as byte-level BPE goes. What is not supported is
 * refused by name rather than ignored; ignored are only `truncation` and `padding` (transformers sets its own) and the
 * unknown token (all 256 bytes are known).
 */
import type { AddedToken } from './added-tokens.ts';
import { byteAlphabet } from './byte-alphabet.ts';
import type { BpeModel } from './bpe.ts';
import type { NormalizationForm, TokenizerDefinition } from './definition.ts';
import type { JsonField } from './json-field.ts';
import { maximumVocabSize, pairKey } from './merge.ts';
import type { Merge } from './merge.ts';
import type { PreTokenizerStep } from './pre-tokenize.ts';
import { parseSplitPattern, SplitPatternError } from './split-pattern.ts';

const normalizationForms = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

export function parseTokenizerJson(root: JsonField): TokenizerDefinition {
  const decoder = root.get('decoder');
  assertType(decoder, 'ByteLevel');
  const model = parseModel(root.get('model'));
  const addedTokens = parseAddedTokens(root.get('added_tokens'), model.vocab);
  assertNoGaps(root, model.vocab, addedTokens);
  return {
    normalizers: parseNormalizers(root.get('normalizer')),
    preTokenizer: parsePreTokenizer(root.get('pre_tokenizer')),
    model,
    addedTokens,
    postProcessor: root.get('post_processor').value ?? null,
  };
}

export function formatTokenizerJson(definition: TokenizerDefinition): string {
  const { normalizers, preTokenizer, model, addedTokens, postProcessor } = definition;
  const tokens = new Map(Array.from(model.vocab, ([token, id]) => [id, token]));
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map((token) => ({ id: token.id, ...addedTokenFields(token) })),
    normalizer: sequence(
      normalizers.map((type) => ({ type })),
      'normalizers',
    ),
    pre_tokenizer: sequence(preTokenizer, 'pretokenizers'),
    post_processor: postProcessor,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: model.ignoreMerges,
      vocab: Object.fromEntries(model.vocab),
      merges: model.merges.map(({ left, right }) => [tokens.get(left), tokens.get(right)]),
    },
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** An added token as both tokenizer.json and tokenizer_config.json write it. */
export function addedTokenFields({ content, special, lstrip, rstrip, normalized }: AddedToken): object {
  return { content, single_word: false, lstrip, rstrip, normalized, special };
}

/** Nothing, the one, or a Sequence. */
function sequence(components: readonly object[], name: string): object | null {
  return components.length > 1 ? { type: 'Sequence', [name]: components } : (components[0] ?? null);
}

/** The components of a field that holds nothing, one, or a Sequence of them, which may be nested. */
function components(field: JsonField, name: string, depth = 0): JsonField[] {
  if (field.isAbsent) return [];
  if (field.get('type').value !== 'Sequence') return [field];
  if (depth > 8) throw field.error('is nested deeper than 8');
  return field
    .get(name)
    .items()
    .flatMap((item) => components(item, name, depth + 1));
}

function assertType(component: JsonField, supported: string): void {
  if (component.isAbsent) throw component.unsupported(`${supported} only`);
  const type = component.get('type');
  if (type.value !== supported) throw type.unsupported(`${supported} only`);
}

function parseNormalizers(field: JsonField): NormalizationForm[] {
  return components(field, 'normalizers').map((normalizer) => {
    const type = normalizer.get('type');
    const form = normalizationForms.find((each) => each === type.value);
    if (form === undefined) throw type.unsupported(`${normalizationForms.join(', ')} and Sequence`);
    return form;
  });
}

function parsePreTokenizer(field: JsonField): PreTokenizerStep[] {
  const fields = components(field, 'pretokenizers');
  const steps = fields.map(parsePreTokenizerStep);
  const byteLevel = steps.findIndex(({ type }) => type === 'ByteLevel');
  if (byteLevel < 0) throw field.error('has no ByteLevel step; supported are byte-level models only');
  if (byteLevel < steps.length - 1) throw fields[byteLevel + 1]!.error('comes after ByteLevel, which must be the last');
  return steps;
}

function parsePreTokenizerStep(field: JsonField): PreTokenizerStep {
  const type = field.get('type');
  switch (type.value) {
    case 'Split': {
      const behavior = field.get('behavior');
      if (behavior.value !== 'Isolated' && behavior.value !== 'Removed') {
        throw behavior.unsupported('Isolated and Removed');
      }
      return {
        type: 'Split',
        pattern: parsePattern(field.get('pattern')),
        behavior: behavior.value,
        invert: field.get('invert').boolean(false),
      };
    }
    case 'Digits':
      return { type: 'Digits', individual_digits: field.get('individual_digits').boolean(false) };
    case 'ByteLevel':
      return {
        type: 'ByteLevel',
        add_prefix_space: field.get('add_prefix_space').boolean(),
        trim_offsets: field.get('trim_offsets').boolean(true),
        use_regex: field.get('use_regex').boolean(true),
      };
    default:
      throw type.unsupported('Split, Digits, ByteLevel and Sequence');
  }
}

function parsePattern(field: JsonField): { Regex: string } | { String: string } {
  const text = field.get('String');
  if (!text.isAbsent) return { String: text.string() };
  const regex = field.get('Regex');
  const pattern = regex.string();
  try {
    parseSplitPattern(pattern);
  } catch (reason) {
    if (reason instanceof SplitPatternError) throw regex.error(reason.message);
    throw reason;
  }
  return { Regex: pattern };
}

function parseModel(field: JsonField): BpeModel {
  const type = field.get('type');
  // Files of 2020 (GPT-2's) have no type.
  if (type.value !== undefined && type.value !== 'BPE') throw type.unsupported('BPE only');
  field.get('dropout').assertUnset(0);
  field.get('continuing_subword_prefix').assertUnset('');
  field.get('end_of_word_suffix').assertUnset('');
  field.get('byte_fallback').assertUnset(false);
  const vocab = parseVocab(field.get('vocab'));
  return {
    vocab,
    merges: parseMerges(field.get('merges'), vocab),
    ignoreMerges: field.get('ignore_merges').boolean(false),
  };
}

function parseVocab(field: JsonField): Map<string, number> {
  const vocab = new Map<string, number>();
  const tokens = new Map<number, string>();
  for (const [token, entry] of field.entries()) {
    const id = entry.index(maximumVocabSize - 1);
    const other = tokens.get(id);
    if (other !== undefined) throw entry.error(`${id} is the id of ${JSON.stringify(other)} too`);
    tokens.set(id, token);
    vocab.set(token, id);
  }
  for (const [byte, character] of byteAlphabet.entries()) {
    if (!vocab.has(character)) {
      throw field.error(
        `lacks ${JSON.stringify(character)}, the token of byte ${byte}; supported are byte-level models only`,
      );
    }
  }
  return vocab;
}

function parseMerges(field: JsonField, vocab: ReadonlyMap<string, number>): Merge[] {
  const rankOfPair = new Map<number, number>();
  return field.items().map((item, rank) => {
    const [left, right] = parsePair(item);
    const id = (token: string): number => {
      const found = vocab.get(token);
      if (found === undefined) throw item.error(`${JSON.stringify(token)} is not in model.vocab`);
      return found;
    };
    const merge = { left: id(left), right: id(right), merged: id(left + right) };
    const key = pairKey(merge.left, merge.right);
    const other = rankOfPair.get(key);
    if (other !== undefined) throw item.error(`repeats model.merges[${other}]`);
    rankOfPair.set(key, rank);
    return merge;
  });
}

/** A merge is a pair, or (before tokenizers 0.20) a string with a space in the middle. */
function parsePair(item: JsonField): [string, string] {
  const parts = typeof item.value === 'string' ? item.value.split(' ') : item.items().map((part) => part.string());
  const [left, right] = parts;
  if (parts.length !== 2 || !left || !right) throw item.error('is not two tokens');
  return [left, right];
}

function parseAddedTokens(field: JsonField, vocab: ReadonlyMap<string, number>): AddedToken[] {
  if (field.isAbsent) return [];
  const tokens = new Map(Array.from(vocab, ([token, id]) => [id, token]));
  const seen = new Set<string>();
  return field.items().map((item) => {
    const id = item.get('id').index(maximumVocabSize - 1);
    const content = item.get('content').string();
    const special = item.get('special').boolean(false);
    const shown = JSON.stringify(content);
    if (content === '') throw item.get('content').error('is empty');
    if (seen.has(content)) throw item.get('content').error(`${shown} is there twice`);
    const inVocab = vocab.get(content);
    if (inVocab !== undefined && inVocab !== id) {
      throw item.get('id').error(`${shown} has the id ${id} here and ${inVocab} in model.vocab`);
    }
    const other = tokens.get(id);
    if (other !== undefined && other !== content) {
      throw item.get('id').error(`${id} is the id of ${JSON.stringify(other)} too`);
    }
    if (special && byteAlphabet.includes(content)) {
      throw item.get('special').error(`${shown} is the token of a byte, which plain text needs; it cannot be special`);
    }
    item.get('single_word').assertUnset(false);
    seen.add(content);
    tokens.set(id, content);
    return {
      id,
      content,
      special,
      lstrip: item.get('lstrip').boolean(false),
      rstrip: item.get('rstrip').boolean(false),
      normalized: item.get('normalized').boolean(!special),
    };
  });
}

function assertNoGaps(root: JsonField, vocab: ReadonlyMap<string, number>, addedTokens: readonly AddedToken[]): void {
  const ids = new Set([...vocab.values(), ...addedTokens.map(({ id }) => id)]);
  for (let id = 0; id < ids.size; id++) {
    if (!ids.has(id)) throw root.error(`no token has the id ${id}, though there are ${ids.size} tokens`);
  }
}
