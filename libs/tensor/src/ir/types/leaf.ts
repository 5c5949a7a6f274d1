import { assertShape } from '../../shape.ts';
import type { LeafParams } from '../primitive.ts';
import type { TypeRules } from './rule.ts';

export const leafTypes: TypeRules<keyof LeafParams> = {
  input: (_inputs, { shape, dtype }, primitive) => {
    assertShape(shape, primitive);
    return { shape, dtype };
  },
  constant: (_inputs, { value }) => ({ shape: value.shape, dtype: value.dtype }),
};
