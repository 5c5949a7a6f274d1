import { join } from 'node:path';
import { ModelRegistry } from '@crucible/checkpoint';
import type { Settings } from '@crucible/service';

export function registryOf({ home }: Settings): ModelRegistry {
  return new ModelRegistry(join(home, 'models'));
}
