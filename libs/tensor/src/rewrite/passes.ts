/** The passes between tracing and lowering, in order. The program is verified after each. */
import type { HalfType } from '../dtype.ts';
import { isProgram, type Program, programsWithin } from '../ir/graph.ts';
import { verifyProgram } from '../ir/verify.ts';
import { foldConstants } from './fold-constants.ts';
import { fuseBias, fuseMatmul, moveRowScale, scaleBias, sinkTranspose, transposeSmaller } from './fuse-matmul.ts';
import { fuseScatter } from './fuse-scatter.ts';
import { inlineBlocks } from './inline-blocks.ts';
import { halveProducts, joinCasts } from './half-precision.ts';
import { joinPads } from './join-pads.ts';
import { shareSoftmax } from './log-sum-exp.ts';
import { padRows } from './pad-rows.ts';
import { firstOf, rebuild, type RewriteRule, rewriteToFixpoint } from './rewrite.ts';
import { mergeScans, pruneScans } from './scans.ts';
import { joinGelu, splitGelu } from './share-gelu.ts';
import { joinNorm, splitNorm } from './share-norm.ts';
import { splitColumnSum } from './split-column-sum.ts';
import { shrinkRowDot } from './row-dot.ts';
import { simplify } from './simplify.ts';
import { writeTokenBlocks } from './token-blocks.ts';

// Programs within the program come first: those that are marks are dissolved, the others optimized on their own.
const preparations: readonly (readonly [name: string, prepare: (program: Program, precision: Precision) => Program])[] =
  [
    ['inline-blocks', (program) => rewriteToFixpoint(program, inlineBlocks)],
    ['write-token-blocks', writeTokenBlocks],
    ['merge-scans', (program) => rewriteToFixpoint(program, mergeScans(program))],
    ['prune-scans', pruneScans],
    ['optimize-within', optimizeWithin],
  ];

// Common subexpressions need no pass: a graph holds each node once. Dead code neither: only what the outputs need is
// lowered.
const passes: readonly (readonly [name: string, rule: (program: Program) => RewriteRule])[] = [
  ['fold-constants', () => foldConstants],
  ['simplify', () => simplify],
  ['split-norm', () => splitNorm],
  ['split-gelu', () => splitGelu],
  ['join-gelu', () => joinGelu],
  ['shrink-row-dot', () => shrinkRowDot],
  ['share-softmax', shareSoftmax],
  ['fuse-scatter', () => fuseScatter],
  ['join-pads', () => joinPads],
  // Each of these makes work for the others.
  ['fuse-matmul', () => firstOf(simplify, fuseMatmul, moveRowScale, transposeSmaller, sinkTranspose)],
  ['join-norm', () => joinNorm],
  ['fuse-bias', () => firstOf(fuseBias, scaleBias)],
  ['pad-rows', padRows],
  ['split-column-sum', () => splitColumnSum],
];

/** The types that products may be worked out in. */
export const precisions = ['float32', 'float16', 'bfloat16'] as const satisfies readonly ('float32' | HalfType)[];

export type Precision = (typeof precisions)[number];

/** Comes last: what is fused before is known by its float32. */
function passesFor(precision: Precision): typeof passes {
  if (precision === 'float32') return passes;
  const half = halveProducts(precision);
  return [...passes, ['half-precision', () => half], ['join-casts', () => joinCasts]];
}

/** Precision: default float32. */
export function optimize(program: Program, precision: Precision = 'float32'): Program {
  verifyProgram(program, 'tracing');
  for (const [name, prepare] of preparations) {
    program = prepare(program, precision);
    verifyProgram(program, name);
  }
  for (const [name, ruleFor] of passesFor(precision)) {
    program = rewriteToFixpoint(program, ruleFor(program));
    verifyProgram(program, name);
  }
  return program;
}

function optimizeWithin(program: Program, precision: Precision): Program {
  const optimized = new Map<Program, Program>();
  const once = (within: Program): Program => {
    const known = optimized.get(within) ?? optimize(within, precision);
    optimized.set(within, known);
    return known;
  };
  return rebuild(program, (tensor, inputs) => {
    if (programsWithin(tensor).length === 0) return undefined;
    const params: [string, unknown][] = Object.entries(tensor.params);
    const changed = params.map(([key, value]) => [key, isProgram(value) ? once(value) : value] as const);
    return tensor.graph.node(tensor.primitive, inputs, Object.fromEntries(changed) as never);
  });
}
