import type { LeafParams } from '../../ir/primitive.ts';
import type { ReferenceRules } from './rule.ts';

export const leafReference: ReferenceRules<Exclude<keyof LeafParams, 'part'>> = {
  input: () => {
    throw new Error('internal: an input has no rule');
  },
  constant: (y, _inputs, { value }) => y.data.set(value.data),
  range: (y) => y.data.forEach((_value, i) => (y.data[i] = i)),
};
