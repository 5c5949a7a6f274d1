/** A pattern as instructions for the matcher. */
import { setsPerTable } from '../unicode/code-point-set.ts';
import { word } from './character-classes.ts';
import { classSource } from './parse-pattern.ts';
import { type Anchor, PatternError, type PatternNode } from './syntax.ts';

/** What an instruction does; its operands follow it. Places are indices of instructions. */
export const op = {
  /** The end of the pattern, or of the part that a look or an atomic group runs. */
  match: 0,
  /** unit: one UTF-16 code unit. */
  unit: 1,
  /** set: one code point. */
  set: 2,
  /** set, min, max, mode: code points of a set, as many as the mode says. */
  sets: 3,
  /** first, second: goes on at `first` and, should that fail, at `second`. */
  split: 4,
  /** place */
  jump: 5,
  /** count, then (set, place) each: goes on, in order, at the places whose set the next code point is in. */
  choose: 6,
  /** isNegative, end: runs what follows up to `end`; goes on there, from where it was. */
  lookAhead: 7,
  /** isNegative, end, shortest, longest: the same for what ends here and has so many code points. */
  lookBehind: 8,
  /** end: runs what follows up to `end`; goes on there, from where that matched. */
  atomic: 9,
  /** anchor */
  anchor: 10,
  /** register: remembers the place in the text. */
  mark: 11,
  /** register, place: goes on at `place` if the text has not been read further since the mark. */
  unlessMoved: 12,
} as const;

export const anchorCodes: Readonly<Record<Anchor, number>> = {
  textStart: 0,
  textEnd: 1,
  lastLineEnd: 2,
  lineStart: 3,
  lineEnd: 4,
  wordEdge: 5,
  notWordEdge: 6,
};

export const modeCodes = { greedy: 0, lazy: 1, possessive: 2 } as const;

/** Stands for Infinity among the operands. */
export const unlimited = 0x7fff_ffff;

export interface Program {
  readonly code: Int32Array;
  /** The sources of the sets, in the order of their numbers. */
  readonly sets: readonly string[];
  /** The set that a match begins with, or -1 where it may begin with nothing or is not worth asking. */
  readonly first: number;
  /** The set of `\w`. */
  readonly word: number;
  readonly registers: number;
}

const longestProgram = 100_000;

export function programFrom(node: PatternNode): Program {
  return new Compiler().compile(node);
}

class Compiler {
  readonly #code: number[] = [];
  readonly #sets = new Map<string, number>();
  #registers = 0;

  compile(node: PatternNode): Program {
    this.#emit(node);
    this.#push(op.match);
    const first = firstSource(node);
    return {
      code: Int32Array.from(this.#code),
      first: first === undefined ? -1 : this.#set(first),
      word: this.#code.includes(op.anchor) ? this.#set(word) : 0,
      sets: [...this.#sets.keys()],
      registers: this.#registers,
    };
  }

  #push(...values: number[]): number {
    const place = this.#code.length;
    if (place > longestProgram) throw new PatternError('is too long when its repetitions are written out');
    this.#code.push(...values);
    return place;
  }

  #set(source: string): number {
    const known = this.#sets.get(source);
    if (known !== undefined) return known;
    if (this.#sets.size >= 16 * setsPerTable) throw new PatternError('has too many different classes');
    this.#sets.set(source, this.#sets.size);
    return this.#sets.size - 1;
  }

  #emit(node: PatternNode): void {
    switch (node.kind) {
      case 'character':
        for (const unit of String.fromCodePoint(node.code).split('')) this.#push(op.unit, unit.charCodeAt(0));
        return;
      case 'class':
        this.#push(op.set, this.#set(node.source));
        return;
      case 'sequence':
        for (const item of node.items) this.#emit(item);
        return;
      case 'choice':
        this.#emitChoice(node.options);
        return;
      case 'repeat':
        this.#emitRepeat(node);
        return;
      case 'look': {
        const { shortest, longest } = node.ahead ? { shortest: 0, longest: 0 } : lengthOf(node.body);
        if (longest > 255) throw new PatternError('looks back for more than 255 characters');
        const place = node.ahead
          ? this.#push(op.lookAhead, Number(node.negative), 0)
          : this.#push(op.lookBehind, Number(node.negative), 0, shortest, longest);
        this.#emit(node.body);
        this.#push(op.match);
        this.#code[place + 2] = this.#code.length;
        return;
      }
      case 'atomic':
        this.#emitAtomic(() => this.#emit(node.body));
        return;
      case 'anchor':
        this.#push(op.anchor, anchorCodes[node.at]);
        return;
    }
  }

  #emitAtomic(emitBody: () => void): void {
    const place = this.#push(op.atomic, 0);
    emitBody();
    this.#push(op.match);
    this.#code[place + 1] = this.#code.length;
  }

  #emitChoice(options: readonly PatternNode[]): void {
    const firsts = options.map(firstSource);
    const ends: number[] = [];
    if (!firsts.includes(undefined)) {
      const sets = firsts.map((source) => this.#set(source!));
      const place = this.#push(op.choose, options.length, ...sets.flatMap((set) => [set, 0]));
      for (const [i, option] of options.entries()) {
        this.#code[place + 3 + 2 * i] = this.#code.length;
        this.#emit(option);
        ends.push(this.#push(op.jump, 0));
      }
    } else {
      for (const [i, option] of options.entries()) {
        const isLast = i === options.length - 1;
        const place = isLast ? -1 : this.#push(op.split, 0, 0);
        if (!isLast) this.#code[place + 1] = this.#code.length;
        this.#emit(option);
        if (isLast) break;
        ends.push(this.#push(op.jump, 0));
        this.#code[place + 2] = this.#code.length;
      }
    }
    for (const end of ends) this.#code[end + 1] = this.#code.length;
  }

  #emitRepeat({ body, min, max, mode }: PatternNode & { kind: 'repeat' }): void {
    const source = classSource(body);
    if (source !== undefined) {
      this.#push(op.sets, this.#set(source), min, max === Infinity ? unlimited : max, modeCodes[mode]);
      return;
    }
    if (mode === 'possessive') {
      this.#emitAtomic(() => this.#emitRepeat({ kind: 'repeat', body, min, max, mode: 'greedy' }));
      return;
    }
    for (let i = 0; i < min; i++) this.#emit(body);
    const split = (): number => this.#push(op.split, 0, 0);
    const target = (place: number, enters: number, leaves: number): void => {
      this.#code[place + 1] = mode === 'lazy' ? leaves : enters;
      this.#code[place + 2] = mode === 'lazy' ? enters : leaves;
    };
    if (max === Infinity) {
      const register = this.#registers++;
      const start = split();
      const enters = this.#push(op.mark, register);
      this.#emit(body);
      const check = this.#push(op.unlessMoved, register, 0);
      this.#push(op.jump, start);
      this.#code[check + 2] = this.#code.length;
      target(start, enters, this.#code.length);
      return;
    }
    const splits: number[] = [];
    for (let i = min; i < max; i++) {
      splits.push(split());
      this.#emit(body);
    }
    for (const [i, place] of splits.entries()) target(place, splits[i]! + 3, this.#code.length);
  }
}

/** The set of the code points that a match can begin with; undefined if it may be empty, or that is not known. */
function firstSource(node: PatternNode): string | undefined {
  switch (node.kind) {
    case 'character':
    case 'class':
      return classSource(node);
    case 'sequence': {
      let source = '';
      for (const item of node.items) {
        if (item.kind === 'look' || item.kind === 'anchor') continue;
        const first = firstSource(item.kind === 'repeat' ? item.body : item);
        if (first === undefined) return undefined;
        source += first;
        if (item.kind !== 'repeat' || item.min > 0) return `[${source}]`;
      }
      return undefined;
    }
    case 'choice': {
      const firsts = node.options.map(firstSource);
      return firsts.includes(undefined) ? undefined : `[${firsts.join('')}]`;
    }
    case 'repeat':
      return node.min > 0 ? firstSource(node.body) : undefined;
    case 'atomic':
      return firstSource(node.body);
    case 'look':
    case 'anchor':
      return undefined;
  }
}

/** How many code points a match can have. */
function lengthOf(node: PatternNode): { shortest: number; longest: number } {
  switch (node.kind) {
    case 'character':
    case 'class':
      return { shortest: 1, longest: 1 };
    case 'sequence': {
      const lengths = node.items.map(lengthOf);
      return {
        shortest: lengths.reduce((sum, { shortest }) => sum + shortest, 0),
        longest: lengths.reduce((sum, { longest }) => sum + longest, 0),
      };
    }
    case 'choice': {
      const lengths = node.options.map(lengthOf);
      return {
        shortest: Math.min(...lengths.map(({ shortest }) => shortest)),
        longest: Math.max(...lengths.map(({ longest }) => longest)),
      };
    }
    case 'repeat': {
      const { shortest, longest } = lengthOf(node.body);
      return { shortest: shortest * node.min, longest: longest === 0 ? 0 : longest * node.max };
    }
    case 'atomic':
      return lengthOf(node.body);
    case 'look':
    case 'anchor':
      return { shortest: 0, longest: 0 };
  }
}
