import { invalidInput } from '@crucible/foundation';
import type { Tensor } from '../ir/tensor.ts';
import { formatShape } from '../shape.ts';
import { mul } from './elementwise.ts';
import { diagonal } from './indexing.ts';
import { matmul } from './linalg.ts';
import { moveAxis, reshape, squeeze, transpose } from './movement.ts';
import { sum } from './reduction.ts';

/** A tensor whose axes have names. */
interface Term {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

/**
 * Sums of products over named axes, as Einstein wrote them: `einsum('bhqd,bhkd->bhqk', queries, keys)`. A letter names
 * an axis; letters that the result lacks are summed over, a letter twice in one operand takes its diagonal, and `...`
 * stands for axes that broadcast. Without `->` the result has the letters that occur once, in their order, after those of
 * `...`.
 *
 * Operands meet in pairs, those first whose product is smallest, in matrix products.
 */
export function einsum(subscripts: string, ...operands: readonly Tensor[]): Tensor {
  const { inputs, output } = parseSubscripts(subscripts, operands);
  const sizes = sizesOf(subscripts, inputs);
  for (const label of output) {
    if (!sizes.has(label)) throw invalidInput(`einsum: ${subscripts}: no operand has ${nameOf(label)} of the result`);
  }
  let terms = inputs.map((term) => withDiagonals(withoutBroadcast(term, sizes)));
  terms = terms.map((term, i) => withoutSummed(term, needed(terms.toSpliced(i, 1), output)));
  while (terms.length > 1) {
    const [i, j] = cheapestPair(terms, output, sizes);
    const rest = terms.filter((_term, k) => k !== i && k !== j);
    terms = [...rest, contract(terms[i]!, terms[j]!, needed(rest, output))];
  }
  const [{ tensor, labels }] = terms as [Term];
  return transpose(
    tensor,
    output.map((label) => labels.indexOf(label)),
  );
}

function parseSubscripts(
  subscripts: string,
  operands: readonly Tensor[],
): { inputs: readonly Term[]; output: readonly string[] } {
  const [left, right, ...more] = subscripts.replaceAll(' ', '').split('->') as [string, ...string[]];
  const lists = left.split(',');
  if (lists.length !== operands.length || more.length > 0) {
    throw invalidInput(`einsum: ${subscripts} does not describe ${operands.length} operands`);
  }
  for (const list of right === undefined ? lists : [...lists, right]) {
    if (!/^[a-zA-Z]*(\.\.\.)?[a-zA-Z]*$/.test(list)) {
      throw invalidInput(`einsum: ${subscripts}: ${list} is not made of letters and at most one '...'`);
    }
  }
  const inputs = lists.map((list, i) => {
    const { rank, shape } = operands[i]!;
    const letters = list.replace('...', '').length;
    if (list.includes('...') ? letters > rank : letters !== rank) {
      throw invalidInput(`einsum: ${subscripts}: ${list} does not name the axes of ${formatShape(shape)}`);
    }
    return { tensor: operands[i]!, labels: labelsOf(list, rank - letters) };
  });
  const dots = Math.max(0, ...inputs.map(({ labels }) => labels.filter(isDots).length));
  if (right !== undefined) {
    const output = labelsOf(right, dots);
    if (new Set(output).size !== output.length) {
      throw invalidInput(`einsum: ${subscripts}: the result has a letter twice`);
    }
    return { inputs, output };
  }
  const all = inputs.flatMap(({ labels }) => labels).filter((label) => !isDots(label));
  const once = all.filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort();
  return { inputs, output: [...labelsOf('...', dots), ...once] };
}

/** Axes of `...` are numbered from the last, at which they align. */
function labelsOf(list: string, dots: number): string[] {
  const [before, after] = list.split('...') as [string, string | undefined];
  if (after === undefined) return before.split('');
  const between = Array.from({ length: dots }, (_, i) => `.${dots - 1 - i}`);
  return [...before.split(''), ...between, ...after.split('')];
}

function isDots(label: string): boolean {
  return label.startsWith('.');
}

function nameOf(label: string): string {
  return isDots(label) ? "'...'" : label;
}

function sizesOf(subscripts: string, terms: readonly Term[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { tensor, labels } of terms) {
    labels.forEach((label, axis) => {
      const size = tensor.shape[axis]!;
      const known = sizes.get(label);
      if (known === undefined || (isDots(label) && known === 1)) sizes.set(label, size);
      else if (size !== known && !(isDots(label) && size === 1)) {
        throw invalidInput(`einsum: ${subscripts}: ${nameOf(label)} is ${known} in one place and ${size} in another`);
      }
    });
  }
  return sizes;
}

/** Axes of size 1 that others broadcast do nothing in a product. */
function withoutBroadcast({ tensor, labels }: Term, sizes: ReadonlyMap<string, number>): Term {
  const idle = labels.flatMap((label, axis) =>
    isDots(label) && tensor.shape[axis] !== sizes.get(label) ? [axis] : [],
  );
  return { tensor: squeeze(tensor, idle), labels: labels.filter((_label, axis) => !idle.includes(axis)) };
}

function withDiagonals(term: Term): Term {
  const { tensor, labels } = term;
  const second = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (second === -1) return term;
  const label = labels[second]!;
  const first = labels.indexOf(label);
  const rest = labels.filter((_label, axis) => axis !== first && axis !== second);
  const last = moveAxis(moveAxis(tensor, second, -1), first, -1);
  return withDiagonals({ tensor: diagonal(last), labels: [...rest, label] });
}

function needed(others: readonly Term[], output: readonly string[]): ReadonlySet<string> {
  return new Set([...output, ...others.flatMap(({ labels }) => labels)]);
}

function withoutSummed({ tensor, labels }: Term, wanted: ReadonlySet<string>): Term {
  const axes = labels.flatMap((label, axis) => (wanted.has(label) ? [] : [axis]));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: sum(tensor, { axes }), labels: labels.filter((label) => wanted.has(label)) };
}

/** The pair whose product takes least room beside its factors. */
function cheapestPair(
  terms: readonly Term[],
  output: readonly string[],
  sizes: ReadonlyMap<string, number>,
): readonly [number, number] {
  const room = (labels: Iterable<string>): number => [...labels].reduce((size, label) => size * sizes.get(label)!, 1);
  let best: readonly [number, number] = [0, 1];
  let least = Infinity;
  for (let j = 1; j < terms.length; j++) {
    for (let i = 0; i < j; i++) {
      const [a, b] = [terms[i]!.labels, terms[j]!.labels];
      const wanted = needed(
        terms.filter((_term, k) => k !== i && k !== j),
        output,
      );
      const product = new Set([...a, ...b].filter((label) => wanted.has(label)));
      const cost = room(product) - room(a) - room(b);
      if (cost < least) [best, least] = [[i, j], cost];
    }
  }
  return best;
}

/** The product of two terms, summed over what both have and nothing else wants. */
function contract(a: Term, b: Term, wanted: ReadonlySet<string>): Term {
  const both = a.labels.filter((label) => b.labels.includes(label));
  const [batch, summed] = [both.filter((label) => wanted.has(label)), both.filter((label) => !wanted.has(label))];
  const left = a.labels.filter((label) => !both.includes(label));
  const right = b.labels.filter((label) => !both.includes(label));
  const labels = [...batch, ...left, ...right];
  if (summed.length === 0) return { tensor: mul(aligned(a, labels), aligned(b, labels)), labels };
  const rows = asMatrices(a, batch, left, summed);
  const columns = asMatrices(b, batch, right, summed);
  const product = matmul(rows.tensor, columns.tensor, {
    transposeA: rows.summedFirst,
    transposeB: !columns.summedFirst,
  });
  const size = (label: string): number => {
    const axis = a.labels.indexOf(label);
    return axis === -1 ? b.tensor.shape[b.labels.indexOf(label)]! : a.tensor.shape[axis]!;
  };
  return { tensor: reshape(product, labels.map(size)), labels };
}

/** The axes of a term in a given order, with size 1 where it has none. */
function aligned({ tensor, labels }: Term, order: readonly string[]): Tensor {
  const present = order.filter((label) => labels.includes(label));
  const sorted = transpose(
    tensor,
    present.map((label) => labels.indexOf(label)),
  );
  const shape = order.map((label) => (labels.includes(label) ? tensor.shape[labels.indexOf(label)]! : 1));
  return reshape(sorted, shape);
}

/** [batch, free, summed], or [batch, summed, free] where the term has them in that order already. */
function asMatrices(
  { tensor, labels }: Term,
  batch: readonly string[],
  free: readonly string[],
  summed: readonly string[],
): { tensor: Tensor; summedFirst: boolean } {
  const size = (group: readonly string[]): number =>
    group.reduce((product, label) => product * tensor.shape[labels.indexOf(label)]!, 1);
  const summedFirst = [...batch, ...summed, ...free].every((label, axis) => labels[axis] === label);
  const groups = summedFirst ? [summed, free] : [free, summed];
  const order = [batch, ...groups].flat();
  const sorted = transpose(
    tensor,
    order.map((label) => labels.indexOf(label)),
  );
  return { tensor: reshape(sorted, [...(batch.length > 0 ? [size(batch)] : []), ...groups.map(size)]), summedFirst };
}
