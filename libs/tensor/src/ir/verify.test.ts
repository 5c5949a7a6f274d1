import { describe, expect, it } from 'vitest';
import { add } from '../library/elementwise.ts';
import { Graph, type Program } from './graph.ts';
import { Tensor } from './tensor.ts';
import { verifyProgram } from './verify.ts';

function program(): Program & { readonly graph: Graph } {
  const graph = new Graph();
  const x = graph.input('x', [2], 'float32');
  return { graph, inputs: [x], outputs: [add(x, 1)] };
}

describe('verifyProgram', () => {
  it('accepts what tracing makes', () => {
    expect(() => verifyProgram(program(), 'tracing')).not.toThrow();
  });

  it('finds a node whose type is not what its rule says', () => {
    const { graph, inputs } = program();
    const wrong = new Tensor(graph, 99, 'neg', inputs, {}, { shape: [3], dtype: 'float32' }) as Tensor;
    expect(() => verifyProgram({ inputs, outputs: [wrong] }, 'simplify')).toThrow(
      'internal: after simplify: node 99 neg: says float32[3], but its rule says float32[2]',
    );
  });

  it('finds an input that is not declared, and two of one name', () => {
    const { outputs, inputs } = program();
    expect(() => verifyProgram({ inputs: [], outputs }, 'x')).toThrow('input x is not declared');
    expect(() => verifyProgram({ inputs: [inputs[0]!, inputs[0]!], outputs }, 'x')).toThrow('two inputs have one name');
  });
});

describe('Graph', () => {
  it('makes each distinct node once, constants compared by content', () => {
    const graph = new Graph();
    const x = graph.input('x', [2], 'float32');
    expect(add(x, 1)).toBe(add(x, 1));
    expect(add(x, 1)).not.toBe(add(x, 2));
    expect(graph.scalar(0)).not.toBe(graph.scalar(-0));
  });

  it('refuses to mix tensors of two graphs', () => {
    const [a, b] = [new Graph(), new Graph()].map((graph) => graph.input('x', [2], 'float32'));
    expect(() => add(a!, b!)).toThrow('internal: add mixes tensors of two graphs');
  });
});
