/** Every primitive, its gradients, its element types, and random programs on WebGPU: see testing/device-suite.ts. */
import { readFileSync } from 'node:fs';
import { requireWebGpu } from '@crucible/testing';
import { beforeAll, expect, it } from 'vitest';
import { devicesOnPage, tensorPage } from './testing/capability-page.ts';
import { primitiveCases } from './testing/primitive-cases.ts';
import { devicesOf, runDeviceSuite, type SuiteRun } from './testing/run-device-suite.ts';

requireWebGpu('WebGPU', (environment) => {
  let run: SuiteRun;

  beforeAll(async () => {
    run = await runDeviceSuite('webgpu', environment);
  }, 600_000);

  const errorsOf = (of: string): string[] =>
    run.lines.flatMap((line) => (line.of === of && line.error !== undefined ? [`${line.what}: ${line.error}`] : []));

  it('runs the whole suite', () => {
    expect(run.failure).toBeUndefined();
    expect(run.lines.length).toBeGreaterThan(300);
  });

  // Primitives without cases of their own are in the programs of others.
  const tried = Object.entries(primitiveCases).flatMap(([name, { cases }]) => (cases.length > 0 ? [name] : []));

  it.each(tried.filter((primitive) => primitive !== 'whileLoop'))('agrees with the reference on %s', (primitive) => {
    expect(run.lines.map(({ of }) => of)).toContain(primitive);
    expect(errorsOf(primitive)).toEqual([]);
  });

  it('agrees with the reference on random programs and their gradients', () => {
    expect(run.lines.filter(({ of }) => of === 'random programs').length).toBeGreaterThan(20);
    expect(errorsOf('random programs')).toEqual([]);
  });

  it('keeps arrays in its memory, which have owners', () => {
    expect(run.lines.filter(({ of }) => of === 'memory of the device')).toHaveLength(5);
    expect(errorsOf('memory of the device')).toEqual([]);
  });

  it('names what it has no kernel for', () => {
    expect(run.lines.map(({ of }) => of)).toContain('nodes without a kernel');
    expect(errorsOf('nodes without a kernel')).toEqual([]);
  });

  it('has no loops of open length, and says so', () => {
    expect(errorsOf('whileLoop')).toEqual([
      'case 0: whileLoop: the device webgpu has no loops of open length; scan has a fixed one, the device cpu has both',
    ]);
  });

  it('has the devices in docs/tensor.md that it ran on', () => {
    expect(devicesOnPage(readFileSync(tensorPage, 'utf8'))).toEqual(devicesOf(run.lines));
  });
});
