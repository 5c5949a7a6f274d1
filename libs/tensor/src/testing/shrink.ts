/** For tests: the smallest part of a program that still fails. */
import type { Program } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/graph.ts';
import { copyNodes } from '../ir/subprogram.ts';
import { printProgram } from '../ir/print.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import type { NdArray } from '../nd-array.ts';
import { evaluate } from '../reference/evaluate.ts';

export interface FailingProgram {
  readonly program: Program;
  readonly feeds: Readonly<Record<string, NdArray>>;
}

type Fails = (failing: FailingProgram) => Promise<boolean>;

/** Cuts off what comes after the first wrong node, and puts inputs in the place of nodes before it, as far as it still fails. */
export async function shrink(failing: FailingProgram, fails: Fails): Promise<FailingProgram> {
  let smallest = failing;
  for (const tensor of topologicalOrder(failing.program.outputs)) {
    if (tensor.parts || isPrimitive(tensor, 'input')) continue;
    const upTo = usedOnly({ program: { ...failing.program, outputs: [tensor] }, feeds: failing.feeds });
    if (await fails(upTo)) {
      smallest = upTo;
      break;
    }
  }
  for (let done = false; !done;) {
    done = true;
    for (const tensor of topologicalOrder(smallest.program.outputs).reverse()) {
      if (tensor.parts || tensor.inputs.length === 0 || smallest.program.outputs.includes(tensor)) continue;
      const cut = withInput(smallest, tensor);
      if (!(await fails(cut))) continue;
      smallest = cut;
      done = false;
      break;
    }
  }
  return smallest;
}

/** The program and what it is fed, as text. */
export function printFailing({ program, feeds }: FailingProgram): string {
  const fed = Object.entries(feeds).map(([name, { dtype, data }]) => `${name} = ${dtype} ${[...data].join(', ')}`);
  return [printProgram(program), ...fed].join('\n');
}

/** With an input, of the value that it has, in the place of a node. */
function withInput({ program, feeds }: FailingProgram, tensor: Tensor): FailingProgram {
  const [value] = evaluate({ inputs: program.inputs, outputs: [tensor] }, feeds, { precision: 'float32' });
  const name = `cut${tensor.id}`;
  const input = tensor.graph.input(name, tensor.shape, tensor.dtype);
  const inputs = [...program.inputs, input];
  const replaced = new Map<Tensor, Tensor>([...inputs.map((one) => [one, one] as const), [tensor, input]]);
  const outputs = copyNodes(program.outputs, replaced, tensor.graph);
  return usedOnly({ program: { inputs, outputs }, feeds: { ...feeds, [name]: value as NdArray } });
}

function usedOnly({ program, feeds }: FailingProgram): FailingProgram {
  const used = new Set(topologicalOrder(program.outputs));
  const inputs = program.inputs.filter((input) => used.has(input));
  const names = inputs.map((input) => input.params.name);
  return {
    program: { inputs, outputs: program.outputs },
    feeds: Object.fromEntries(names.map((name) => [name, feeds[name]!])),
  };
}
