import { InvalidArgumentError } from 'commander';
import type { LabelWords } from '@crucible/tuning';

/** `--words positive=great,good`, collected; `auto` where words are to be searched. */
export function collectWords(given: string, before: LabelWords | 'auto' = {}): LabelWords | 'auto' {
  if (given === 'auto') return 'auto';
  const [, label, words] = /^([^=]+)=(.+)$/su.exec(given) ?? [];
  if (label === undefined || words === undefined)
    throw new InvalidArgumentError('it must be LABEL=WORD,WORD, as in positive=great,good; or auto');
  return { ...(before === 'auto' ? {} : before), [label]: words.split(',').map((word) => word.trim()) };
}
