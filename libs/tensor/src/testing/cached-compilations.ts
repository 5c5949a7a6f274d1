/** For tests, as a process of its own: `node cached-compilations.ts FOLDER` compiles six programs with a cache there. */
import { CompileCache } from '../cache/compile-cache.ts';
import { mul } from '../library/elementwise.ts';
import { itemOf, scalar } from '../nd-array.ts';
import { compile } from '../trace/compile.ts';

const cache = new CompileCache(process.argv[2]!);
const values: number[] = [];
let cached = 0;
for (const factor of [1, 2, 3, 4, 5, 6]) {
  const program = await compile({ x: scalar(0) }, ({ x }) => ({ y: mul(x, factor) }), { cache });
  values.push(itemOf((await program.run({ x: scalar(5) })).y));
  cached += Number(program.statistics.isCached);
  await program.dispose();
}
process.stdout.write(JSON.stringify({ values, cached }));
