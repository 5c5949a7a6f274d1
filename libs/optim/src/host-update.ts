/**
 * The optimizer on the host, where results are written over what they come from. Parameters that one rule updates
 * element by element lie behind each other in one vector, and so do their gradients and moments. These are updated piece
 * by piece: a piece stays in a core's cache from the first operation on it to the last, and one small program does for
 * all blocks of pieces, however large the model is.
 */
import {
  compile,
  type CompileOptions,
  copyArray,
  flatten,
  floats,
  isNdArray,
  mapTree,
  type NdArray,
  sizeOf,
  type Tensor,
  treeFromPaths,
  zerosArray,
} from '@crucible/tensor';
import { type ElementRule, momentsOf, type Optimizer, type OptimizerState, type StepScalars } from './optimizer.ts';

/** Elements that are worked on together: four arrays of them fit the caches of two cores of 2 MiB each. */
const pieceSize = 1 << 17;
/** Pieces of one run. */
const piecesOfBlock = 8;
/** Elements to whose multiples parameters begin: a cache line. */
const alignment = 16;

export type HostUpdateOptions = Pick<CompileOptions, 'name' | 'threads'>;

/** The same elements of each. */
interface Piece {
  readonly parameter: NdArray;
  readonly gradient: NdArray;
  readonly first: NdArray;
  readonly second: NdArray;
}

/** Parameters of one rule. */
interface Group {
  readonly rule: ElementRule;
  readonly blocks: readonly (readonly Piece[])[];
  /** Fewer pieces than a block has, the last a smaller one. */
  readonly rest: readonly Piece[];
}

/** Of the trees, the parameters that are updated as a whole. */
interface Whole {
  readonly parameters: object;
  readonly gradients: object;
  readonly state: OptimizerState<NdArray>;
}

type BlockProgram = Awaited<ReturnType<typeof compileBlock>>;
type RestProgram = Awaited<ReturnType<typeof compileRest>>;

export class HostUpdate {
  /** Trees of arrays that each step writes over. */
  readonly parameters: object;
  readonly state: OptimizerState<NdArray>;
  /** A tree of arrays for the gradients that `apply` goes by. */
  readonly gradients: object;
  readonly #optimizer: Optimizer;
  readonly #options: HostUpdateOptions;
  readonly #groups: readonly Group[];
  readonly #whole: Whole;
  readonly #blockPrograms = new Map<ElementRule, BlockProgram>();
  #restProgram: RestProgram | undefined;

  /** Copies parameters and state. */
  constructor(
    optimizer: Optimizer,
    parameters: object,
    state: OptimizerState<NdArray>,
    options: HostUpdateOptions = {},
  ) {
    this.#optimizer = optimizer;
    this.#options = options;
    const stateAt = new Map(flatten(state, isNdArray).map(({ path, leaf }) => [path, leaf]));
    const groups = new Map<string, Member[]>();
    const pieces = new Map<string, Piece>();
    const whole = { parameters: new Map<string, NdArray>(), gradients: new Map<string, NdArray>() };
    const wholeState: Record<string, OptimizerState<NdArray>[string]> = {};
    for (const { path, leaf } of flatten(parameters, isNdArray)) {
      const rule = optimizer.elementRule(path, leaf.shape);
      if (rule) {
        groups.set(rule.key, [...(groups.get(rule.key) ?? []), { path, leaf, rule }]);
      } else {
        whole.parameters.set(path, copyArray(leaf));
        whole.gradients.set(path, zerosArray('float32', leaf.shape));
      }
    }
    for (const [at, leaf] of stateAt) {
      const end = at.lastIndexOf('.');
      const path = at.slice(0, end);
      if (!whole.parameters.has(path)) continue;
      wholeState[path] = { ...wholeState[path], [at.slice(end + 1)]: copyArray(leaf) } as never;
    }
    this.#groups = [...groups.values()].map((members) => laidOut(members, stateAt, pieces));
    this.#whole = {
      parameters: treeFromPaths(whole.parameters),
      gradients: treeFromPaths(whole.gradients),
      state: wholeState,
    };
    const tree = (of: 'parameter' | 'gradient', kept: ReadonlyMap<string, NdArray>): object =>
      mapTree(parameters, isNdArray, (_leaf, path) => pieces.get(path)?.[of] ?? kept.get(path)) as object;
    this.parameters = tree('parameter', whole.parameters);
    this.gradients = tree('gradient', whole.gradients);
    // In the order of the parameters, whatever lies where
    const paths = flatten(parameters, isNdArray).map(({ path }) => path);
    this.state = Object.fromEntries(
      paths.flatMap((path) => {
        const piece = pieces.get(path);
        const own = piece ? { first: piece.first, second: piece.second } : wholeState[path];
        return own ? [[path, own]] : [];
      }),
    );
  }

  /** One step by what is in `gradients`. */
  async apply(scalars: StepScalars<NdArray>): Promise<void> {
    for (const { rule, blocks } of this.#groups) {
      for (const pieces of blocks) {
        let program = this.#blockPrograms.get(rule);
        if (!program)
          this.#blockPrograms.set(rule, (program = await compileBlock(rule, pieces, scalars, this.#options)));
        await program.run({ pieces, scalars });
      }
    }
    const rest = { pieces: this.#groups.map((group) => group.rest), whole: this.#whole, scalars };
    if (flatten([rest.pieces, rest.whole], isNdArray).length === 0) return;
    this.#restProgram ??= await compileRest(this.#optimizer, this.#groups, rest, this.#options);
    await this.#restProgram.run(rest);
  }

  /** Releases the programs. */
  async dispose(): Promise<void> {
    for (const program of [...this.#blockPrograms.values(), this.#restProgram]) await program?.dispose();
    this.#blockPrograms.clear();
    this.#restProgram = undefined;
  }
}

function compileBlock(
  rule: ElementRule,
  pieces: readonly Piece[],
  scalars: StepScalars<NdArray>,
  options: HostUpdateOptions,
) {
  return compile({ pieces, scalars }, (given) => ({ pieces: advanced(rule, given.pieces, given.scalars) }), {
    ...options,
    overwrite: ['pieces'],
  });
}

function compileRest(
  optimizer: Optimizer,
  groups: readonly Group[],
  rest: {
    readonly pieces: readonly (readonly Piece[])[];
    readonly whole: Whole;
    readonly scalars: StepScalars<NdArray>;
  },
  options: HostUpdateOptions,
) {
  return compile(
    rest,
    ({ pieces, whole, scalars }) => ({
      pieces: groups.map(({ rule }, i) => advanced(rule, pieces[i]!, scalars)),
      whole: optimizer.update(whole.parameters, whole.gradients, whole.state, scalars),
    }),
    { ...options, overwrite: ['pieces', 'whole'] },
  );
}

function advanced(rule: ElementRule, pieces: readonly { readonly [K in keyof Piece]: Tensor }[], scalars: StepScalars) {
  return pieces.map(({ parameter, gradient, first, second }) => {
    const next = rule.update(parameter, gradient, { first, second }, scalars);
    return { parameter: next.parameter, ...next.state };
  });
}

interface Member {
  readonly path: string;
  readonly leaf: NdArray;
  readonly rule: ElementRule;
}

/** One vector of each kind for all members, and which part of it is whose: `places`, by path. */
function laidOut(members: readonly Member[], stateAt: ReadonlyMap<string, NdArray>, places: Map<string, Piece>): Group {
  const sizes = members.map(({ leaf }) => Math.ceil(sizeOf(leaf.shape) / alignment) * alignment);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const vector = (): Float32Array<ArrayBuffer> => new Float32Array(total);
  const all = { parameter: vector(), gradient: vector(), first: vector(), second: vector() };
  const part = (start: number, shape: readonly number[]): Piece => {
    const of = (values: Float32Array): NdArray => floats(shape, values.subarray(start, start + sizeOf(shape)));
    return {
      parameter: of(all.parameter),
      gradient: of(all.gradient),
      first: of(all.first),
      second: of(all.second),
    };
  };
  let start = 0;
  members.forEach(({ path, leaf }, i) => {
    const own = part(start, leaf.shape);
    const { first, second } = momentsOf(stateAt, path, ['first', 'second']);
    own.parameter.data.set(leaf.data);
    own.first.data.set(first.data);
    own.second.data.set(second.data);
    places.set(path, own);
    start += sizes[i]!;
  });
  const pieces = Array.from({ length: Math.ceil(total / pieceSize) }, (_, i) =>
    part(i * pieceSize, [Math.min(pieceSize, total - i * pieceSize)]),
  );
  const full = Math.floor(total / (pieceSize * piecesOfBlock));
  const blocks = Array.from({ length: full }, (_, i) => pieces.slice(i * piecesOfBlock, (i + 1) * piecesOfBlock));
  return { rule: members[0]!.rule, blocks, rest: pieces.slice(full * piecesOfBlock) };
}
