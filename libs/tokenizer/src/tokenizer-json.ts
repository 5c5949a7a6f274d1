/**
 * The format tokenizer.json of Hugging Face's `tokenizers`. What is not known is refused by name rather than ignored.
 * Ignored are `truncation` and `padding`, which are the business of who calls (transformers sets its own too), and a
 * BPE model's `dropout`, which is for training.
 */
import { type AddedToken, addedTokenFields } from './added-tokens.ts';
import { parseDecoder } from './decoders/decoder.ts';
import type { TokenizerDefinition } from './definition.ts';
import type { JsonField } from './json-field.ts';
import { formatBpe, parseBpe } from './models/bpe.ts';
import { maximumVocabSize } from './models/merge.ts';
import { type ModelDefinition, vocabOf } from './models/model.ts';
import { formatUnigram, parseUnigram } from './models/unigram.ts';
import { formatWordLevel, parseWordLevel } from './models/word-level.ts';
import { formatWordPiece, parseWordPiece } from './models/word-piece.ts';
import { parseNormalizer } from './normalizers/normalizer.ts';
import { parsePostProcessor } from './post-processors/post-processor.ts';
import { parsePreTokenizer } from './pre-tokenizers/pre-tokenizer.ts';

export function parseTokenizerJson(root: JsonField): TokenizerDefinition {
  const version = root.get('version');
  if (!version.isAbsent && version.value !== '1.0') throw version.unsupported('"1.0"');
  const model = parseModel(root.get('model'));
  return {
    normalizer: optional(root.get('normalizer'), parseNormalizer),
    preTokenizer: optional(root.get('pre_tokenizer'), parsePreTokenizer),
    model,
    postProcessor: optional(root.get('post_processor'), parsePostProcessor),
    decoder: optional(root.get('decoder'), parseDecoder),
    addedTokens: parseAddedTokens(root.get('added_tokens'), vocabOf(model)),
  };
}

export function formatTokenizerJson(definition: TokenizerDefinition): string {
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: definition.addedTokens.map((token) => ({ id: token.id, ...addedTokenFields(token) })),
    normalizer: definition.normalizer,
    pre_tokenizer: definition.preTokenizer,
    post_processor: definition.postProcessor,
    decoder: definition.decoder,
    model: formatModel(definition.model),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function optional<T>(field: JsonField, parse: (field: JsonField) => T): T | null {
  return field.isAbsent ? null : parse(field);
}

function parseModel(field: JsonField): ModelDefinition {
  const type = field.get('type');
  switch (type.value ?? modelTypeOf(field)) {
    case 'BPE':
      return parseBpe(field);
    case 'WordPiece':
      return parseWordPiece(field);
    case 'WordLevel':
      return parseWordLevel(field);
    case 'Unigram':
      return parseUnigram(field);
    default:
      throw type.unsupported('BPE, WordPiece, WordLevel and Unigram');
  }
}

/** Files of 2020 do not say what they hold. */
function modelTypeOf(field: JsonField): string {
  if (!field.get('merges').isAbsent) return 'BPE';
  if (!field.get('max_input_chars_per_word').isAbsent) return 'WordPiece';
  return Array.isArray(field.get('vocab').value) ? 'Unigram' : 'WordLevel';
}

function formatModel(model: ModelDefinition): object {
  switch (model.type) {
    case 'BPE':
      return formatBpe(model);
    case 'WordPiece':
      return formatWordPiece(model);
    case 'WordLevel':
      return formatWordLevel(model);
    case 'Unigram':
      return formatUnigram(model);
  }
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
    seen.add(content);
    tokens.set(id, content);
    return {
      id,
      content,
      special,
      singleWord: item.get('single_word').boolean(false),
      lstrip: item.get('lstrip').boolean(false),
      rstrip: item.get('rstrip').boolean(false),
      normalized: item.get('normalized').boolean(!special),
    };
  });
}
