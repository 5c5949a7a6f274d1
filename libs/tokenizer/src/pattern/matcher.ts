/**
 * Finding what a pattern matches. A backtracking matcher, as Oniguruma is one and as the order of alternatives demands,
 * but with a bound: a search may take so many steps for every character of the text, and then is an error. So a pattern
 * that would try for ever does not, and no pattern or text makes the time grow faster than the text.
 */
import { CrucibleError } from '@crucible/foundation';
import { CodePointTable, setsPerTable } from '../unicode/code-point-set.ts';
import { anchorCodes, modeCodes, op, type Program, unlimited } from './program.ts';

/** Steps that a search may take for every UTF-16 code unit of the text, and for a text as such. */
const stepsPerUnit = 500;
const stepsPerText = 500_000;

/** What is tried when an attempt fails. */
const retry = { at: 0, shorter: 1, longer: 2, choice: 3, register: 4 } as const;
const frame = 4;

export class Matcher {
  /** Where the match that `find` found begins and ends. */
  start = 0;
  end = 0;

  readonly #name: string;
  readonly #code: Int32Array;
  readonly #first: number;
  readonly #word: number;
  /** By number of a set. */
  readonly #tables: readonly CodePointTable[];
  readonly #bits: Int32Array;
  readonly #registers: Int32Array;

  #text = '';
  #from = 0;
  #to = 0;
  #steps = 0;
  /** Frames of (kind, instruction, place in the text, further operand). */
  #stack = new Int32Array(64 * frame);
  #depth = 0;

  /** `name`: how errors call the pattern. */
  constructor(program: Program, name: string) {
    this.#name = name;
    this.#code = program.code;
    this.#first = program.first;
    this.#word = program.word;
    this.#registers = new Int32Array(program.registers);
    const tables = Array.from(
      { length: Math.ceil(program.sets.length / setsPerTable) },
      (_, i) => new CodePointTable(program.sets.slice(i * setsPerTable, (i + 1) * setsPerTable)),
    );
    this.#tables = program.sets.map((_, set) => tables[Math.floor(set / setsPerTable)]!);
    this.#bits = Int32Array.from(program.sets, (_, set) => 1 << (set % setsPerTable));
  }

  /**
   * Calls `emit` with every match in `text` from `from` to `to`, in order; nothing outside is looked at. An empty match
   * that touches the one before is none. `text` must be well formed, and the ends may not cut a character. `emit` must not
   * call the same matcher.
   */
  forEachMatch(text: string, from: number, to: number, emit: (start: number, end: number) => void): void {
    let at = from;
    let before = -1;
    this.#text = text;
    this.#from = from;
    this.#to = to;
    this.#steps = stepsPerText + stepsPerUnit * (to - from);
    while (at <= to && this.#find(at)) {
      const { start, end } = this;
      if (start === end && end === before) {
        at += at < to && isLead(text.charCodeAt(at)) ? 2 : 1;
        continue;
      }
      at = before = end;
      emit(start, end);
    }
  }

  /** The first match that begins at `at` or later. */
  #find(at: number): boolean {
    const text = this.#text;
    const to = this.#to;
    const table = this.#tables[this.#first];
    const bit = this.#bits[this.#first]!;
    for (let start = at; start <= to; start++) {
      let code = 0;
      if (start < to) {
        code = text.charCodeAt(start);
        if (isLead(code)) code = text.codePointAt(start)!;
      }
      if (table === undefined || (start < to && (table.bits(code) & bit) !== 0)) {
        this.#depth = 0;
        const end = this.#run(0, start, -1);
        if (end >= 0) {
          this.start = start;
          this.end = end;
          return true;
        }
      }
      if (code > 0xffff) start++;
    }
    return false;
  }

  #push(kind: number, instruction: number, place: number, operand: number): void {
    let stack = this.#stack;
    let depth = this.#depth;
    if (depth === stack.length) {
      this.#stack = new Int32Array(2 * depth);
      this.#stack.set(stack);
      stack = this.#stack;
    }
    stack[depth++] = kind;
    stack[depth++] = instruction;
    stack[depth++] = place;
    stack[depth++] = operand;
    this.#depth = depth;
  }

  #inSet(set: number, code: number): boolean {
    return (this.#tables[set]!.bits(code) & this.#bits[set]!) !== 0;
  }

  /** Runs from an instruction on; where that matches up to, or -1. `target`: the only end that counts, or -1 for any. */
  #run(instruction: number, start: number, target: number): number {
    const code = this.#code;
    const text = this.#text;
    const to = this.#to;
    const base = this.#depth;
    let at = instruction;
    let place = start;
    for (;;) {
      if (--this.#steps < 0) throw this.#exhausted();
      let fails = false;
      switch (code[at]) {
        case op.match:
          if (target >= 0 && place !== target) {
            fails = true;
            break;
          }
          this.#depth = base;
          return place;
        case op.unit:
          if (place < to && text.charCodeAt(place) === code[at + 1]) {
            place++;
            at += 2;
          } else {
            fails = true;
          }
          break;
        case op.set: {
          const next = this.#after(place, code[at + 1]!);
          if (next < 0) {
            fails = true;
          } else {
            place = next;
            at += 2;
          }
          break;
        }
        case op.sets: {
          const set = code[at + 1]!;
          const min = code[at + 2]!;
          const max = code[at + 3]!;
          const mode = code[at + 4]!;
          const table = this.#tables[set]!;
          const bit = this.#bits[set]!;
          const limit = mode === modeCodes.lazy ? min : max;
          let count = 0;
          let least = min === 0 ? place : -1;
          const before = place;
          while (place < to && count < limit) {
            let unit = text.charCodeAt(place);
            let width = 1;
            if (isLead(unit)) {
              unit = text.codePointAt(place)!;
              width = 2;
            }
            if ((table.bits(unit) & bit) === 0) break;
            place += width;
            if (++count === min) least = place;
          }
          this.#steps -= place - before;
          if (count < min) {
            fails = true;
            break;
          }
          if (mode === modeCodes.greedy) {
            if (place > least) this.#push(retry.shorter, at + 5, place, least);
          } else if (mode === modeCodes.lazy && max > min) {
            this.#push(retry.longer, at, place, max === unlimited ? unlimited : max - min);
          }
          at += 5;
          break;
        }
        case op.split:
          this.#push(retry.at, code[at + 2]!, place, 0);
          at = code[at + 1]!;
          break;
        case op.jump:
          at = code[at + 1]!;
          break;
        case op.choose:
          at = this.#chosen(at, place, 0);
          fails = at < 0;
          break;
        case op.lookAhead: {
          const found = this.#run(at + 3, place, -1) >= 0;
          fails = found === (code[at + 1] === 1);
          at = code[at + 2]!;
          break;
        }
        case op.lookBehind: {
          const found = this.#matchesBehind(at, place);
          fails = found === (code[at + 1] === 1);
          at = code[at + 2]!;
          break;
        }
        case op.atomic: {
          const end = this.#run(at + 2, place, -1);
          fails = end < 0;
          place = end;
          at = code[at + 1]!;
          break;
        }
        case op.anchor:
          fails = !this.#holds(code[at + 1]!, place);
          at += 2;
          break;
        case op.mark: {
          const register = code[at + 1]!;
          this.#push(retry.register, register, this.#registers[register]!, 0);
          this.#registers[register] = place;
          at += 2;
          break;
        }
        case op.unlessMoved:
          at = place === this.#registers[code[at + 1]!] ? code[at + 2]! : at + 3;
          break;
        default:
          throw new Error(`internal: no instruction ${code[at]}`);
      }
      if (!fails) continue;

      // Takes up what was left to try last.
      for (;;) {
        if (this.#depth === base) return -1;
        this.#depth -= frame;
        const stack = this.#stack;
        const depth = this.#depth;
        const kind = stack[depth]!;
        at = stack[depth + 1]!;
        place = stack[depth + 2]!;
        const operand = stack[depth + 3]!;
        if (kind === retry.at) break;
        if (kind === retry.shorter) {
          place -= isTrail(text.charCodeAt(place - 1)) ? 2 : 1;
          if (place > operand) {
            stack[depth + 2] = place;
            this.#depth += frame;
          }
          break;
        }
        if (kind === retry.choice) {
          at = this.#chosen(at, place, operand);
          break;
        }
        if (kind === retry.longer) {
          place = this.#after(place, code[at + 1]!);
          if (place < 0) continue;
          if (operand > 1) this.#push(kind, at, place, operand === unlimited ? unlimited : operand - 1);
          at += 5;
          break;
        }
        this.#registers[at] = place;
      }
    }
  }

  /** The place after a code point of a set, or -1. */
  #after(place: number, set: number): number {
    if (place >= this.#to) return -1;
    const unit = this.#text.charCodeAt(place);
    if (!isLead(unit)) return this.#inSet(set, unit) ? place + 1 : -1;
    return this.#inSet(set, this.#text.codePointAt(place)!) ? place + 2 : -1;
  }

  /** Where `choose` goes on, from its `index`-th way; what else fits is tried later. -1 if there is none. */
  #chosen(at: number, place: number, index: number): number {
    if (place >= this.#to) return -1;
    const code = this.#code;
    const count = code[at + 1]!;
    const next = this.#text.codePointAt(place)!;
    let found = -1;
    for (let i = index; i < count; i++) {
      if (!this.#inSet(code[at + 2 + 2 * i]!, next)) continue;
      if (found >= 0) {
        this.#push(retry.choice, at, place, i);
        break;
      }
      found = code[at + 3 + 2 * i]!;
    }
    return found;
  }

  #matchesBehind(at: number, place: number): boolean {
    const shortest = this.#code[at + 3]!;
    const longest = this.#code[at + 4]!;
    let start = place;
    for (let length = 0; length <= longest; length++) {
      if (length >= shortest && this.#run(at + 5, start, place) >= 0) return true;
      if (start <= this.#from) return false;
      start -= isTrail(this.#text.charCodeAt(start - 1)) ? 2 : 1;
    }
    return false;
  }

  #holds(anchor: number, place: number): boolean {
    const isLineFeed = (at: number): boolean => this.#text.charCodeAt(at) === 0x0a;
    switch (anchor) {
      case anchorCodes.textStart:
        return place === this.#from;
      case anchorCodes.textEnd:
        return place === this.#to;
      case anchorCodes.lastLineEnd:
        return place === this.#to || (place === this.#to - 1 && isLineFeed(place));
      case anchorCodes.lineStart:
        return place === this.#from || (place < this.#to && isLineFeed(place - 1));
      case anchorCodes.lineEnd:
        return place === this.#to || isLineFeed(place);
      default: {
        const isEdge = this.#isWordAt(place) !== this.#isWordBefore(place);
        return isEdge === (anchor === anchorCodes.wordEdge);
      }
    }
  }

  #isWordAt(place: number): boolean {
    return place < this.#to && this.#inSet(this.#word, this.#text.codePointAt(place)!);
  }

  #isWordBefore(place: number): boolean {
    if (place <= this.#from) return false;
    const width = isTrail(this.#text.charCodeAt(place - 1)) ? 2 : 1;
    return this.#inSet(this.#word, this.#text.codePointAt(place - width)!);
  }

  #exhausted(): CrucibleError {
    this.#text = '';
    return new CrucibleError(
      'resource-exhausted',
      `${this.#name}: takes too long for a text of ${this.#to - this.#from} characters`,
      { at: this.#name },
    );
  }
}

function isLead(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

function isTrail(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}
