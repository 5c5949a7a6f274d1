/** Names of ours and numbers of the wire, one for one. */
import { invalidInput } from '@crucible/foundation';

export interface EnumPairs<Name extends string, Wire extends number> {
  readonly wire: (name: Name) => Wire;
  /** Throws for a number that stands for no name, and for 0, which says nothing. */
  readonly name: (wire: Wire, at: string) => Name;
}

export function enumPairs<Name extends string, Wire extends number>(
  table: Readonly<Record<Name, Wire>>,
): EnumPairs<Name, Wire> {
  const names = new Map(Object.entries(table).map(([name, wire]) => [wire as Wire, name as Name]));
  return {
    wire: (name) => table[name],
    name: (wire, at) => {
      const name = names.get(wire);
      if (name === undefined)
        throw invalidInput(`${at}: ${wire} is given; ${[...names.keys()].join(', ')} are allowed`, { at });
      return name;
    },
  };
}
