import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type AddedToken, AddedTokenMatcher, type Occurrence, type Stretch } from './added-tokens.ts';
import { AlignedText } from './aligned-text.ts';
import { byteAlphabet } from './byte-alphabet.ts';
import { createDecoder, decoderSteps, type Decoding } from './decoders/decoder.ts';
import { idsOf, type TokenizerDefinition, tokensOf } from './definition.ts';
import { type ModelDefinition, vocabOf } from './models/model.ts';
import { PieceEncoder } from './models/piece-encoder.ts';
import { createNormalizer, type Normalizer } from './normalizers/normalizer.ts';
import { type Draft, emptyDraft, type Encoding, joinDrafts } from './post-processors/encoding.ts';
import { createPostProcessor, type PostProcessor } from './post-processors/post-processor.ts';
import { createPreTokenizer, type PreTokenizer, preTokenizerSteps } from './pre-tokenizers/pre-tokenizer.ts';
import { assertSettings, type TokenizerSettings } from './settings.ts';
import type { StreamDecoder } from './stream-decoder.ts';
import { TokenBytes, type TokenIds } from './token-bytes.ts';
import { forEachUtf8Stretch } from './utf8-stretches.ts';

export interface DecodeOptions {
  /** Leave special tokens out. Default: false. */
  readonly skipSpecialTokens?: boolean;
}

export interface TokenizeOptions {
  /** A second text: the answer to a question, a sentence to compare. */
  readonly pair?: string;
  /** Put around the text what the model expects around it, such as `[CLS]` and `[SEP]`. Default: true. */
  readonly addSpecialTokens?: boolean;
  /** Find special tokens in the texts; only for texts that we wrote ourselves. Default: false. */
  readonly findSpecialTokens?: boolean;
}

/** In which parts of a text added tokens are found. */
type Trust = (token: AddedToken, place: Stretch) => boolean;

const completeTrust: Trust = () => true;
const noTrust: Trust = (token) => !token.special;

/** Takes what becomes of a text, in order. `part`: between which cuts it is. */
interface Sink {
  token(id: number, text: AlignedText, part: number): void;
  piece(text: AlignedText, start: number, end: number, part: number): void;
}

/**
 * Text to token ids and back: identical ids to Hugging Face's `tokenizers` for the same tokenizer.json. Immutable. Made
 * by `trainBpe`, `trainWordPiece` and `loadTokenizer`. Lone surrogates in a text are read as U+FFFD.
 */
export class Tokenizer {
  /** Ids go from 0 to `vocabSize - 1`, special tokens included. Not every one need be a token's. */
  readonly vocabSize: number;
  /** Ids of the special tokens, by content. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly settings: TokenizerSettings;
  readonly definition: TokenizerDefinition;

  readonly #tokens: readonly (string | undefined)[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #specialIds: ReadonlySet<number>;
  readonly #normalizer: Normalizer | undefined;
  /** Of added tokens: what they look like in normalized text. */
  readonly #normalizedTokens: ReadonlyMap<number, string>;
  readonly #matcher: AddedTokenMatcher;
  readonly #normalizedMatcher: AddedTokenMatcher;
  readonly #findsNormalizedSpecials: boolean;
  readonly #preTokenizer: PreTokenizer;
  /** The last step of pre-tokenizing, which writes bytes, is left to the encoder. */
  readonly #writesBytes: boolean;
  /** Offsets decide what is the beginning of the text. */
  readonly #needsAlignment: boolean;
  readonly #postProcessor: PostProcessor;
  readonly #beginDecoding: () => Decoding;
  /** Decoding is putting bytes together. */
  readonly #decodesBytes: boolean;
  readonly #bytes: TokenBytes;
  #encoders: { readonly trusted: PieceEncoder; readonly plain: PieceEncoder } | undefined;
  #exactPreTokenizer: PreTokenizer | undefined;

  /** `definition` must be consistent, see parseTokenizerJson; `settings` may name its tokens only. */
  constructor(definition: TokenizerDefinition, settings: TokenizerSettings = {}) {
    const { addedTokens, normalizer, preTokenizer, decoder, postProcessor } = definition;
    const special = addedTokens.filter((token) => token.special);
    const steps = preTokenizerSteps(preTokenizer);

    this.definition = definition;
    this.settings = settings;
    this.#tokens = tokensOf(definition);
    this.#ids = idsOf(definition);
    this.vocabSize = this.#tokens.length;
    this.specialTokens = new Map(special.map(({ content, id }) => [content, id]));
    this.#specialIds = new Set(special.map(({ id }) => id));

    this.#normalizer = normalizer === null ? undefined : createNormalizer(normalizer);
    const normalizedTokens = addedTokens.filter((token) => token.normalized);
    this.#normalizedTokens = new Map(normalizedTokens.map(({ id, content }) => [id, this.#normalized(content)]));
    this.#matcher = new AddedTokenMatcher(addedTokens.filter((token) => !token.normalized));
    this.#normalizedMatcher = new AddedTokenMatcher(normalizedTokens, ({ id }) => this.#normalizedTokens.get(id)!);
    this.#findsNormalizedSpecials = normalizedTokens.some((token) => token.special);

    this.#writesBytes = steps.at(-1)?.type === 'ByteLevel';
    this.#preTokenizer = createPreTokenizer(steps, { keepsBytes: true });
    this.#needsAlignment = steps.some(
      (step, i) =>
        step.type === 'Metaspace' && step.prepend_scheme === 'first' && (i > 0 || this.#normalizer !== undefined),
    );
    this.#postProcessor = createPostProcessor(postProcessor);
    this.#beginDecoding = createDecoder(decoder);
    this.#decodesBytes = decoderSteps(decoder).length === 1 && decoderSteps(decoder)[0]!.type === 'ByteLevel';
    const literal = new Set(addedTokens.map(({ id }) => id));
    this.#bytes = new TokenBytes(this.#tokens, decoder, (id) => literal.has(id));
    assertSettings(settings, (token) => this.#ids.has(token));
  }

  /** The same tokenizer with `changes` made to its settings. */
  withSettings(changes: TokenizerSettings): Tokenizer {
    return new Tokenizer(this.definition, { ...this.settings, ...changes });
  }

  /** The id of the token that `settings` names for this purpose, if it names one. */
  get bosId(): number | undefined {
    return this.#idOfSetting(this.settings.bosToken);
  }

  get eosId(): number | undefined {
    return this.#idOfSetting(this.settings.eosToken);
  }

  get padId(): number | undefined {
    return this.#idOfSetting(this.settings.padToken);
  }

  get maskId(): number | undefined {
    return this.#idOfSetting(this.settings.maskToken);
  }

  /** `token` as tokenizer.json writes it (of byte-level models " the" is "Ġthe"), added tokens as they are. */
  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The inverse of `tokenToId`. */
  idToToken(id: number): string {
    const token = this.#tokens[id];
    if (token !== undefined) return token;
    throw invalidInput(`id: ${id} is not the id of a token; this tokenizer has the ids 0 to ${this.vocabSize - 1}`, {
      at: 'id',
    });
  }

  /** The bytes that a token adds to a text that it neither begins nor ends: a view that must not be changed. */
  tokenBytes(id: number): Uint8Array {
    return this.#bytes.of(id);
  }

  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /**
   * The ids of a text that may come from anybody: never a special token, "<|end|>" in it is seven characters like any
   * others; except for the one that stands for what is unknown, if the vocabulary lacks something. (Added tokens that are
   * not marked as special are part of the ordinary vocabulary and are found.) Nothing is added around it.
   */
  encode(text: string): number[] {
    return this.#encode(text, noTrust);
  }

  /** The ids of a text that we wrote ourselves: special tokens in it are found. Nothing is added around it. */
  encodeWithSpecialTokens(text: string): number[] {
    return this.#encode(text, completeTrust);
  }

  /**
   * The ids of a text of ours with stretches by others in it, in which no special token is found: those of each part
   * between the `cuts`. No token is half before a cut and half after it, and what comes before a cut is encoded as if
   * nothing came after it.
   */
  encodeParts(text: string, plain: readonly Stretch[], cuts: readonly number[]): number[][] {
    const parts: number[][] = Array.from({ length: cuts.length + 1 }, () => []);
    const encoder = this.#encoderFor(noTrust);
    const trust: Trust = (token, { start, end }) => {
      if (cuts.some((cut) => start < cut && end > cut)) return false;
      if (!token.special) return true;
      // What only looks like a special token once it is normalized is none of ours.
      if (token.normalized && text.slice(start, end) !== token.content) return false;
      return !plain.some((stretch) => start < stretch.end && end > stretch.start);
    };
    this.#run(text, trust, cuts, false, {
      token: (id, _text, part) => parts[part]!.push(id),
      piece: (piece, start, end, part) => encoder.encode(piece.text, start, end, parts[part]!),
    });
    return parts;
  }

  /** A text, or a pair of texts, as a model of this tokenizer expects it, and what of it each token stands for. */
  tokenize(text: string, options: TokenizeOptions = {}): Encoding {
    const { pair, addSpecialTokens = true, findSpecialTokens = false } = options;
    const trust = findSpecialTokens ? completeTrust : noTrust;
    const texts = [text, ...(pair === undefined ? [] : [pair])];
    const drafts = texts.map((each, i) => this.#draft(each, trust, i === 0 ? 0 : 1));
    const joined = joinDrafts(this.#postProcessor(drafts, addSpecialTokens));
    const { ids, sequences, offsets, typeIds, specialTokensMask } = joined;
    return { ids, sequences, offsets, typeIds, specialTokensMask };
  }

  /**
   * The ids of any bytes; `decodeBytes` gives exactly these bytes back. Stretches of well-formed UTF-8 are encoded as
   * text is, other bytes one by one. What could change them is left out: the normalizer, a space put in front, pieces
   * removed, and added tokens. Tokenizers without these (ours are) give the ids of `encode` for well-formed text. Only
   * byte-level tokenizers have a token for every byte.
   */
  encodeBytes(bytes: Uint8Array): number[] {
    const vocab = vocabOf(this.definition.model);
    const idOfByte = byteAlphabet.map((character) => vocab.get(character));
    if (!this.#writesBytes || !this.#decodesBytes || idOfByte.includes(undefined)) {
      throw new CrucibleError('failed-precondition', 'encodeBytes: this tokenizer has not a token for every byte');
    }
    const steps = preTokenizerSteps(this.definition.preTokenizer);
    this.#exactPreTokenizer ??= createPreTokenizer(steps, { keepsBytes: true, isExact: true });
    const split = this.#exactPreTokenizer;
    const encoder = this.#encoderFor(noTrust);
    const ids: number[] = [];
    forEachUtf8Stretch(
      bytes,
      (text) =>
        split(new AlignedText(text), 0, text.length, (piece, start, end) =>
          encoder.encode(piece.text, start, end, ids),
        ),
      (byte) => ids.push(idOfByte[byte]!),
    );
    return ids;
  }

  /** The text of `ids`; bytes that are no well-formed UTF-8 become U+FFFD. */
  decode(ids: TokenIds, options: DecodeOptions = {}): string {
    if (this.#decodesBytes) {
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decodeBytes(ids, options));
    }
    const stream = this.decodeStream(options);
    let text = '';
    let position = 0;
    for (const id of ids) {
      this.#bytes.assertId(id, position++);
      text += stream.push(id);
    }
    return text + stream.flush();
  }

  /** The bytes of the text of `ids`; of byte-level tokenizers also where they are no text. */
  decodeBytes(ids: TokenIds, options: DecodeOptions = {}): Uint8Array {
    if (!this.#decodesBytes) return new TextEncoder().encode(this.decode(ids, options));
    return this.#bytes.concatenate(ids, (id) => options.skipSpecialTokens === true && this.isSpecial(id));
  }

  /** Decodes ids as they come. */
  decodeStream({ skipSpecialTokens = false }: DecodeOptions = {}): StreamDecoder {
    const skips = (id: number): boolean => skipSpecialTokens && this.isSpecial(id);
    if (this.#decodesBytes) {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      return {
        push: (id) => {
          const bytes = this.#bytes.of(id);
          return skips(id) ? '' : decoder.decode(bytes, { stream: true });
        },
        flush: () => decoder.decode(),
      };
    }
    const decoding = this.#beginDecoding();
    return {
      push: (id) => {
        this.#bytes.assertId(id);
        const token = this.#normalizedTokens.get(id) ?? this.#tokens[id];
        return token === undefined || skips(id) ? '' : decoding.push(token);
      },
      flush: () => decoding.flush(),
    };
  }

  #encode(text: string, trust: Trust): number[] {
    const ids: number[] = [];
    const encoder = this.#encoderFor(trust);
    this.#run(text, trust, [], false, {
      token: (id) => ids.push(id),
      piece: (piece, start, end) => encoder.encode(piece.text, start, end, ids),
    });
    return ids;
  }

  #draft(text: string, trust: Trust, sequence: 0 | 1): Draft {
    const draft = emptyDraft(text.toWellFormed());
    const add = (id: number, token: string, start: number, end: number): void => {
      draft.ids.push(id);
      draft.tokens.push(token);
      draft.offsets.push([start, end]);
      draft.sequences.push(sequence);
      draft.typeIds.push(sequence);
      draft.specialTokensMask.push(0);
    };
    const encoder = this.#encoderFor(trust);
    this.#run(text, trust, [], true, {
      token: (id, found) => add(id, found.text, ...found.originOf(0, found.text.length)),
      piece: (piece, from, to) =>
        encoder.encodeAligned(piece.slice(from, to), (id, start, end) => add(id, this.#tokens[id]!, start, end)),
    });
    return draft;
  }

  /** Finds added tokens, normalizes, finds those that are found only then, and cuts what remains into pieces. */
  #run(text: string, trust: Trust, cuts: readonly number[], isAligned: boolean, sink: Sink): void {
    const whole = text.toWellFormed();
    const original = isAligned ? AlignedText.original(whole) : new AlignedText(whole);
    forEachPart(whole, this.#matcher.occurrences(whole, trust), (start, end, id) => {
      if (id !== undefined) {
        sink.token(id, original.slice(start, end), partOf(cuts, start));
        return;
      }
      const cutsInside = cuts.filter((cut) => cut > start && cut < end);
      const needsAlignment =
        this.#needsAlignment ||
        (this.#normalizer !== undefined &&
          (cutsInside.length > 0 || (this.#findsNormalizedSpecials && trust !== completeTrust && trust !== noTrust)));
      const part = original.slice(start, end);
      const aligned = needsAlignment && !isAligned ? AlignedText.original(part.text, start) : part;
      this.#runPart(aligned, start, trust, cuts, sink);
    });
  }

  /** `base`: where `part` is in the original. */
  #runPart(part: AlignedText, base: number, trust: Trust, cuts: readonly number[], sink: Sink): void {
    const normalized = this.#normalizer === undefined ? part : this.#normalizer(part);
    const { text, alignment } = normalized;
    const originOf = (place: number): number => alignment?.starts[place] ?? base + place;
    const found = this.#normalizedMatcher.occurrences(text, (token, { start, end }) =>
      trust(token, { start: originOf(start), end: alignment?.ends[end - 1] ?? base + end }),
    );
    forEachPart(text, found, (start, end, id) => {
      if (id !== undefined) {
        sink.token(id, normalized.slice(start, end), partOf(cuts, originOf(start)));
        return;
      }
      let from = start;
      for (const cut of [...cuts, Infinity]) {
        let to = from;
        if (cut === Infinity) to = end;
        else while (to < end && originOf(to) < cut) to++;
        if (to === from) continue;
        const piece = normalized.slice(from, to, from === start ? 'part' : 'nothing');
        const number = partOf(cuts, originOf(from));
        this.#preTokenizer(piece, 0, piece.text.length, (each, first, last) => sink.piece(each, first, last, number));
        from = to;
      }
    });
  }

  #normalized(text: string): string {
    return this.#normalizer === undefined ? text : this.#normalizer(new AlignedText(text)).text;
  }

  /** Text that nobody vouches for is encoded without special tokens, though the model may know them. */
  #encoderFor(trust: Trust): PieceEncoder {
    this.#encoders ??= this.#createEncoders();
    return trust === completeTrust ? this.#encoders.trusted : this.#encoders.plain;
  }

  #createEncoders(): { trusted: PieceEncoder; plain: PieceEncoder } {
    const { model } = this.definition;
    const needed = (id: number): boolean => this.#writesBytes && byteAlphabet.includes(this.#tokens[id]!);
    const reserved = new Set([...this.#specialIds].filter((id) => !needed(id)));
    const plain = new PieceEncoder(model, reserved, this.#writesBytes);
    const trusted = mayYield(model, reserved) ? new PieceEncoder(model, new Set(), this.#writesBytes) : plain;
    return { trusted, plain };
  }

  #idOfSetting(token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.tokenToId(token);
  }
}

/** The parts of a text in order: those that are found, with their ids, and those between, none of which is empty. */
function forEachPart(
  text: string,
  found: readonly Occurrence[],
  emit: (start: number, end: number, id?: number) => void,
): void {
  let done = 0;
  for (const { id, start, end } of found) {
    if (start > done) emit(done, start);
    emit(start, end, id);
    done = end;
  }
  if (text.length > done) emit(done, text.length);
}

/** How many cuts come before a place, or are there. */
function partOf(cuts: readonly number[], place: number): number {
  let part = 0;
  while (part < cuts.length && cuts[part]! <= place) part++;
  return part;
}

/** Whether a model can make one of `ids` of text. */
function mayYield(model: ModelDefinition, ids: ReadonlySet<number>): boolean {
  if (model.type === 'BPE' && !model.ignoreMerges) {
    const isSymbol = ([token, id]: readonly [string, number]): boolean => ids.has(id) && Array.from(token).length === 1;
    return model.merges.some(({ merged }) => ids.has(merged)) || [...model.vocab].some(isSymbol);
  }
  return [...vocabOf(model).values()].some((id) => ids.has(id));
}
