/**
 * Writes the head of a language model out as operations on blocks of rows. Of a block the logits and their softmax are
 * all that is ever there: a block begins behind the results of the one before it (a barrier keeps ONNX Runtime from making
 * all of them first), and the gradient is made beside the loss, from the same logits (Wijmans et al. 2024, "Cut your
 * losses"; Hsu et al. 2024, "Liger Kernel"). Where the gradient has to wait for the loss of other rows, as in losses that
 * are no sum over tokens, it makes the logits of each block again.
 */
import { type Program, topologicalOrder } from '../ir/graph.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { cast, log, mul, sub } from '../library/elementwise.ts';
import { gather, scatterAdd, takeAlong } from '../library/indexing.ts';
import { matmul } from '../library/linalg.ts';
import { concat, reshape, sliceAxis } from '../library/movement.ts';
import { argMax, max, softmax } from '../library/reduction.ts';
import { rebuild } from './rewrite.ts';

type TokenNode = Tensor<'tokenLogProbability'> | Tensor<'tokenLogProbabilityGradient'> | Tensor<'likeliestToken'>;

export function writeTokenBlocks(program: Program): Program {
  for (;;) {
    const nodes = topologicalOrder(program.outputs).filter(isTokenNode);
    if (nodes.length === 0) return program;
    const written = new Map<Tensor, Tensor>();
    for (const group of groupsOf(nodes)) writeGroup(group).forEach((tensor, node) => written.set(node, tensor));
    program = rebuild(program, (tensor) => written.get(tensor));
  }
}

function isTokenNode(tensor: Tensor): tensor is TokenNode {
  return (
    isPrimitive(tensor, 'tokenLogProbability') ||
    isPrimitive(tensor, 'tokenLogProbabilityGradient') ||
    isPrimitive(tensor, 'likeliestToken')
  );
}

/** Nodes of the same logits. */
function groupsOf(nodes: readonly TokenNode[]): Iterable<readonly TokenNode[]> {
  const groups = new Map<string, TokenNode[]>();
  for (const node of nodes) {
    const [hidden, weight] = node.inputs as [Tensor, Tensor];
    const key = `${hidden.id} ${weight.id} ${node.params.rows}`;
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  return groups.values();
}

function writeGroup(nodes: readonly TokenNode[]): Map<Tensor, Tensor> {
  const gradients = nodes.filter((node): node is TokenNode => node.primitive === 'tokenLogProbabilityGradient');
  const needed = new Set(topologicalOrder(gradients.flatMap(({ inputs }) => inputs)));
  const forwards = nodes.filter((node) => !gradients.includes(node));
  if (!forwards.some((node) => needed.has(node))) return writeBlocks(nodes);
  // Behind the gradient of the loss, so that these logits are not one with those of the loss
  const behind = gradients.map(({ inputs }) => inputs[3]!);
  return new Map([...writeBlocks(forwards), ...writeBlocks(gradients, behind)]);
}

function writeBlocks(nodes: readonly TokenNode[], behind: readonly Tensor[] = []): Map<Tensor, Tensor> {
  const { inputs, params } = nodes[0]!;
  const [hidden, weight] = inputs as [Tensor, Tensor];
  const [count] = hidden.shape as [number, number];
  const blocks = new Map<TokenNode, Tensor[]>(nodes.map((node) => [node, []]));
  // A single block holds all logits in any case.
  let last = params.rows < count ? behind : [];
  for (let start = 0; start < count || start === 0; start += params.rows) {
    const end = Math.min(start + params.rows, count);
    const own = (x: Tensor): Tensor => sliceAxis(x, 0, start, end);
    const rows = last.reduce((x, token) => x.graph.node('barrier', [x, token], {}), own(hidden));
    const logits = matmul(rows, weight, { transposeB: true });
    last = nodes.map((node) => {
      const before = blocks.get(node)!;
      before.push(blockOf(node, { rows, logits, own, before: before.at(-1) }));
      return cast(before.at(-1)!, 'float32');
    });
  }
  return new Map(nodes.map((node) => [node, joined(node, blocks.get(node)!)]));
}

interface Block {
  readonly rows: Tensor;
  readonly logits: Tensor;
  /** The block's part of what there is for every token. */
  readonly own: (x: Tensor) => Tensor;
  /** What the block before made. */
  readonly before: Tensor | undefined;
}

function blockOf(node: TokenNode, { rows, logits, own, before }: Block): Tensor {
  if (isPrimitive(node, 'likeliestToken')) return argMax(logits);
  const [, weight, targets, dy] = node.inputs as [Tensor, Tensor, Tensor, Tensor | undefined];
  const p = softmax(logits);
  if (isPrimitive(node, 'tokenLogProbability')) {
    const chosen = takeAlong(logits, reshape(own(targets), [-1, 1]));
    // log Σ exp z = max z - log max p: see log-sum-exp.ts
    return reshape(sub(chosen, sub(largest(logits), log(largest(p)))), [-1]);
  }
  const scale = reshape(own(dy!), [-1, 1]);
  // (E - P) W, of which E W are rows of W: the rows of P stay as they are.
  if (node.params.by === 'hidden') return mul(sub(gather(weight, own(targets)), matmul(p, weight)), scale);
  const scaled = mul(rows, scale);
  const params = { transposeA: true, transposeB: false, alpha: -1 };
  return before
    ? node.graph.node('matmulAdd', [p, scaled, before], params)
    : node.graph.node('matmul', [p, scaled], params);
}

function joined(node: TokenNode, blocks: readonly Tensor[]): Tensor {
  if (!isPrimitive(node, 'tokenLogProbabilityGradient') || node.params.by === 'hidden')
    return blocks.length === 1 ? blocks[0]! : concat(blocks, 0);
  const [hidden, , targets, dy] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
  return scatterAdd(blocks.at(-1)!, targets, mul(hidden, reshape(dy, [-1, 1])));
}

function largest(x: Tensor): Tensor {
  return max(x, { axes: -1, keepDims: true });
}
