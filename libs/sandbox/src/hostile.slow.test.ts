/** Every hostile program against Pyodide, and two hundred at once against each boundary. */
import { expect, it } from 'vitest';
import { boundaryNames } from './boundary.ts';
import { Sandbox } from './sandbox.ts';
import { attack } from './testing/attack-sandbox.ts';
import { hostilePrograms } from './testing/hostile-programs.ts';
import { openTestBoundary, requireBoundary } from './testing/require-boundary.ts';

await requireBoundary('pyodide', 'Pyodide in Deno', () => {
  it('holds every hostile program', { timeout: 1_200_000 }, async () => {
    const findings = await attack(await openTestBoundary('pyodide'));
    expect(findings.filter(({ breaches }) => breaches.length > 0)).toEqual([]);
    expect(findings.length).toBeGreaterThan(80);
  });
});

for (const name of boundaryNames) {
  await requireBoundary(name, `two hundred at once behind ${name}`, () => {
    it(
      'end with a name each, some cancelled, some refused, and honest ones among them right',
      { timeout: 1_200_000 },
      async () => {
        const sandbox = new Sandbox(await openTestBoundary(name), { concurrency: 3, queue: 100, warm: 1 });
        const hostile = hostilePrograms(name, ['/nothing', 'NOTHING', '1']);
        const runs = Array.from({ length: 200 }, async (_, i) => {
          if (i % 10 === 0)
            return (await sandbox.run({ code: `${i} * 2`, lastValue: true, limits: { wallMs: 60_000 } })).value?.json;
          const stop = new AbortController();
          if (i % 7 === 0) setTimeout(() => stop.abort(), i * 10);
          return (await sandbox.run(hostile[i % hostile.length]!.program, { signal: stop.signal })).outcome;
        });
        const ends = await Promise.allSettled(runs);
        ends.forEach((end, i) => {
          if (end.status === 'fulfilled') expect(end.value).toEqual(i % 10 === 0 ? String(2 * i) : expect.any(String));
          else expect((end.reason as { code: string }).code).toMatch(/^(resource-exhausted|cancelled)$/);
        });
        expect(ends.filter(({ status }) => status === 'rejected').length).toBeGreaterThanOrEqual(97);
        expect(sandbox.state).toMatchObject({ running: 0, waiting: 0 });
        expect((await sandbox.run({ code: '6 * 7', lastValue: true })).value?.json).toBe('42');
        await sandbox.close();
      },
    );
  });
}
