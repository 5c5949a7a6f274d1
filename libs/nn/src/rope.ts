import type { Graph, Tensor } from '@crucible/tensor';
import { headSize, type LlamaConfig } from './llama-config.ts';

/** Cosines and sines of the rotary angles: two constants [maxPositions, headSize / 2]. */
export function rotaryTables(graph: Graph, config: LlamaConfig): { readonly cos: Tensor; readonly sin: Tensor } {
  const half = headSize(config) / 2;
  const { maxPositions, ropeTheta } = config;
  const angle = (i: number): number => Math.floor(i / half) * ropeTheta ** (-(i % half) / half);
  const table = (of: (radians: number) => number): Tensor =>
    graph.constant(
      'float32',
      [maxPositions, half],
      Float32Array.from({ length: maxPositions * half }, (_, i) => of(angle(i))),
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
