/** The post-processors of tokenizer.json: special tokens around a text or a pair of texts, and trimmed offsets. */
import { widthAt } from '../aligned-text.ts';
import { byteAlphabet } from '../byte-alphabet.ts';
import type { JsonField } from '../json-field.ts';
import { maximumVocabSize } from '../models/merge.ts';
import type { PreTokenizerDefinition } from '../pre-tokenizers/pre-tokenizer.ts';
import { CodePointSet } from '../unicode/code-point-set.ts';
import { classOf } from '../unicode/versions.ts';
import { addedDraft, type Draft, joinDrafts } from './encoding.ts';

/** A token by its content and its id. */
type NamedToken = readonly [content: string, id: number];

type TemplatePiece =
  | { readonly Sequence: { readonly id: 'A' | 'B'; readonly type_id: number } }
  | { readonly SpecialToken: { readonly id: string; readonly type_id: number } };

interface TemplateToken {
  readonly id: string;
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
}

export type PostProcessorDefinition =
  | (PreTokenizerDefinition & { readonly type: 'ByteLevel' })
  | {
      readonly type: 'TemplateProcessing';
      readonly single: readonly TemplatePiece[];
      readonly pair: readonly TemplatePiece[];
      readonly special_tokens: Readonly<Record<string, TemplateToken>>;
    }
  | { readonly type: 'BertProcessing'; readonly sep: NamedToken; readonly cls: NamedToken }
  | {
      readonly type: 'RobertaProcessing';
      readonly sep: NamedToken;
      readonly cls: NamedToken;
      readonly trim_offsets: boolean;
      readonly add_prefix_space: boolean;
    }
  | { readonly type: 'Sequence'; readonly processors: readonly PostProcessorDefinition[] };

/** `drafts`: of the one text, or the two. */
export type PostProcessor = (drafts: readonly Draft[], addSpecialTokens: boolean) => readonly Draft[];

export function parsePostProcessor(field: JsonField, depth = 0): PostProcessorDefinition {
  if (depth > 8) throw field.error('is nested deeper than 8');
  const type = field.get('type');
  switch (type.value) {
    case 'ByteLevel':
      return {
        type: 'ByteLevel',
        add_prefix_space: field.get('add_prefix_space').boolean(true),
        trim_offsets: field.get('trim_offsets').boolean(true),
        use_regex: field.get('use_regex').boolean(true),
      };
    case 'TemplateProcessing':
      return parseTemplate(field);
    case 'BertProcessing':
      return { type: 'BertProcessing', sep: parseToken(field.get('sep')), cls: parseToken(field.get('cls')) };
    case 'RobertaProcessing':
      return {
        type: 'RobertaProcessing',
        sep: parseToken(field.get('sep')),
        cls: parseToken(field.get('cls')),
        trim_offsets: field.get('trim_offsets').boolean(),
        add_prefix_space: field.get('add_prefix_space').boolean(),
      };
    case 'Sequence':
      return {
        type: 'Sequence',
        processors: field
          .get('processors')
          .items()
          .map((item) => parsePostProcessor(item, depth + 1)),
      };
    default:
      throw type.unsupported('TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequence');
  }
}

function parseToken(field: JsonField): NamedToken {
  const [content, id, ...more] = field.items();
  if (content === undefined || id === undefined || more.length > 0) throw field.error('is not a token and its id');
  return [content.string(), id.index(maximumVocabSize - 1)];
}

function parseTemplate(field: JsonField): PostProcessorDefinition {
  const special_tokens = Object.fromEntries(
    field
      .get('special_tokens')
      .entries()
      .map(([name, token]) => {
        const ids = token.get('ids').items();
        const tokens = token.get('tokens').items();
        if (ids.length !== tokens.length) throw token.error('has not as many ids as tokens');
        return [
          name,
          {
            id: token.get('id').string(),
            ids: ids.map((id) => id.index(maximumVocabSize - 1)),
            tokens: tokens.map((each) => each.string()),
          },
        ];
      }),
  );
  const pieces = (name: 'single' | 'pair'): TemplatePiece[] =>
    field
      .get(name)
      .items()
      .map((item) => {
        const special = item.get('SpecialToken');
        if (!special.isAbsent) {
          const id = special.get('id').string();
          if (!Object.hasOwn(special_tokens, id)) {
            throw special.get('id').error(`${JSON.stringify(id)} is not among special_tokens`);
          }
          return { SpecialToken: { id, type_id: special.get('type_id').index(255) } };
        }
        const sequence = item.get('Sequence');
        const id = sequence.get('id');
        if (name === 'single' && id.value === 'B') throw id.error('"B" is not there in a single text');
        return { Sequence: { id: id.oneOf(['A', 'B']), type_id: sequence.get('type_id').index(255) } };
      });
  return { type: 'TemplateProcessing', single: pieces('single'), pair: pieces('pair'), special_tokens };
}

export function createPostProcessor(definition: PostProcessorDefinition | null): PostProcessor {
  switch (definition?.type) {
    case undefined:
      return (drafts) => drafts;
    case 'ByteLevel': {
      const { trim_offsets, add_prefix_space } = definition;
      return (drafts) => (trim_offsets ? drafts.map((draft) => trimmed(draft, add_prefix_space)) : drafts);
    }
    case 'TemplateProcessing':
      return templateProcessor(definition);
    case 'BertProcessing': {
      const { cls, sep } = definition;
      return (drafts, addSpecialTokens) =>
        addSpecialTokens
          ? drafts.map((draft, i) =>
              i === 0
                ? joinDrafts([tokenDraft(cls, 0), draft, tokenDraft(sep, 0)])
                : joinDrafts([draft, tokenDraft(sep, 1)]),
            )
          : drafts;
    }
    case 'RobertaProcessing': {
      const { cls, sep, trim_offsets, add_prefix_space } = definition;
      return (drafts, addSpecialTokens) => {
        const plain = drafts.map((draft) => {
          const own = trim_offsets ? trimmed(draft, add_prefix_space) : draft;
          return { ...own, typeIds: own.typeIds.map(() => 0) };
        });
        if (!addSpecialTokens) return plain;
        return plain.map((draft, i) => joinDrafts([tokenDraft(i === 0 ? cls : sep, 0), draft, tokenDraft(sep, 0)]));
      };
    }
    case 'Sequence': {
      const processors = definition.processors.map(createPostProcessor);
      return (drafts, addSpecialTokens) =>
        processors.reduce((result, processor) => processor(result, addSpecialTokens), drafts);
    }
  }
}

function tokenDraft([content, id]: NamedToken, typeId: number): Draft {
  return addedDraft([id], [content], typeId);
}

function templateProcessor(definition: PostProcessorDefinition & { type: 'TemplateProcessing' }): PostProcessor {
  const { single, pair, special_tokens } = definition;
  return (drafts, addSpecialTokens) =>
    (drafts.length === 1 ? single : pair).flatMap((piece) => {
      if ('Sequence' in piece) {
        const { id, type_id } = piece.Sequence;
        const draft = drafts[id === 'A' ? 0 : 1]!;
        return [{ ...draft, typeIds: draft.typeIds.map(() => type_id) }];
      }
      if (!addSpecialTokens) return [];
      const { ids, tokens } = special_tokens[piece.SpecialToken.id]!;
      return [addedDraft(ids, tokens, piece.SpecialToken.type_id)];
    });
}

const whiteSpace = new CodePointSet(classOf.whiteSpace);
const spaceByte = byteAlphabet[0x20]!;

/** Offsets without the spaces at the ends of tokens. */
function trimmed(draft: Draft, addPrefixSpace: boolean): Draft {
  const isSpace = (unit: string): boolean => unit === spaceByte || whiteSpace.has(unit.charCodeAt(0));
  const offsets = draft.offsets.map(([start, end], i): readonly [number, number] => {
    const token = draft.tokens[i]!;
    let leading = 0;
    while (leading < token.length && isSpace(token[leading]!)) leading++;
    let trailing = 0;
    while (trailing < token.length && isSpace(token[token.length - 1 - trailing]!)) trailing++;
    // A single space in front of the text is one that was put there.
    if (leading === 1 && addPrefixSpace && (i === 0 || start === 0)) leading = 0;
    let from = start;
    for (; leading > 0 && from < end; leading--) from += widthAt(draft.source, from);
    let to = end;
    for (; trailing > 0 && to > 0; trailing--) to -= isTrail(draft.source.charCodeAt(to - 1)) ? 2 : 1;
    return [from, trailing > 0 ? end : Math.max(to, from)];
  });
  return { ...draft, offsets };
}

function isTrail(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}
