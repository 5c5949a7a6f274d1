import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBusContract } from '../bus.contract.ts';
import { createEmbeddedBus } from './embedded-bus.ts';

describeBusContract('the embedded bus in memory', () => ({
  open: () => createEmbeddedBus({ drainDeadline: 500 }),
  isKept: false,
  dispose: () => Promise.resolve(),
}));

describeBusContract('the embedded bus in a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'crucible-bus-'));
  return {
    open: () => createEmbeddedBus({ folder, drainDeadline: 500 }),
    isKept: true,
    dispose: () => {
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
});
