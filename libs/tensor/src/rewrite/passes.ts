/** The passes between tracing and lowering, in order. The program is verified after each. */
import type { Program } from '../ir/graph.ts';
import { verifyProgram } from '../ir/verify.ts';
import { foldConstants } from './fold-constants.ts';
import { fuseBias, fuseMatmul, moveRowScale } from './fuse-matmul.ts';
import { fuseScatter } from './fuse-scatter.ts';
import { growHeads } from './grow-heads.ts';
import { joinPads } from './join-pads.ts';
import { shareSoftmax } from './log-sum-exp.ts';
import { padRows } from './pad-rows.ts';
import { firstOf, type RewriteRule, rewriteToFixpoint } from './rewrite.ts';
import { shrinkRowDot } from './row-dot.ts';
import { simplify } from './simplify.ts';

// Common subexpressions need no pass: a graph holds each node once. Dead code neither: only what the outputs need is
// lowered.
const passes: readonly (readonly [name: string, rule: (program: Program) => RewriteRule])[] = [
  ['fold-constants', () => foldConstants],
  ['simplify', () => simplify],
  ['shrink-row-dot', () => shrinkRowDot],
  ['share-softmax', shareSoftmax],
  ['fuse-scatter', () => fuseScatter],
  ['join-pads', () => joinPads],
  ['grow-heads', () => growHeads],
  // Each of these makes work for the others.
  ['fuse-matmul', () => firstOf(simplify, fuseMatmul, moveRowScale)],
  ['fuse-bias', () => fuseBias],
  ['pad-rows', padRows],
];

export function optimize(program: Program): Program {
  verifyProgram(program, 'tracing');
  for (const [name, ruleFor] of passes) {
    program = rewriteToFixpoint(program, ruleFor(program));
    verifyProgram(program, name);
  }
  return program;
}
