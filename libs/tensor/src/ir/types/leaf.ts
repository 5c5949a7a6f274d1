import { assertShape } from '../../shape.ts';
import type { LeafParams } from '../primitive.ts';
import type { TypeRules } from './rule.ts';

export const leafTypes: TypeRules<keyof LeafParams> = {
  input: (_inputs, { shape, dtype }, primitive) => {
    assertShape(shape, primitive);
    return { shape, dtype };
  },
  constant: (_inputs, { value }) => ({ shape: value.shape, dtype: value.dtype }),
  range: (_inputs, { length, dtype }, primitive) => {
    assertShape([length], primitive);
    return { shape: [length], dtype };
  },
  part: ([several], { index }) => {
    const type = several!.parts?.[index];
    if (!type) throw new Error(`internal: part: there is no result ${index}`);
    return type;
  },
};
