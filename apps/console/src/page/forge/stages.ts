/** The stages of training in words: what each makes and what is worth watching. */
import { figure, percent } from '../text/format.ts';

export interface Stage {
  readonly name: string;
  /** Of the model that it makes. */
  readonly letter: string | undefined;
  readonly label: string;
  readonly learns: string;
  /** Figures that are drawn first. */
  readonly shown: readonly string[];
  /** Its model answers chats. */
  readonly talks: boolean;
}

const stages: readonly Stage[] = [
  { name: 'tokenizer', letter: undefined, label: 'Tokenizer', learns: 'the pieces of words', shown: [], talks: false },
  {
    name: 'pretrain',
    letter: 'A',
    label: 'Pre-training',
    learns: 'the next token of plain text',
    shown: ['loss', 'val_bpb', 'tokens_per_s'],
    talks: true,
  },
  {
    name: 'sft',
    letter: 'B',
    label: 'Fine-tuning',
    learns: 'to answer, and to stop',
    shown: ['loss', 'exact', 'tokens_per_s'],
    talks: true,
  },
  {
    name: 'reward',
    letter: 'C',
    label: 'Reward model',
    learns: 'which answer is better',
    shown: ['loss', 'val_accuracy'],
    talks: false,
  },
  {
    name: 'ppo',
    letter: 'D',
    label: 'Reinforcement',
    learns: 'to give answers that C likes',
    shown: ['objective/scores', 'objective/kl', 'exact'],
    talks: true,
  },
];

/** Those of a forge, in their order. */
export const forgeStages: readonly string[] = stages.map(({ name }) => name);

export function stageOf(name: string): Stage {
  const known = stages.find((each) => each.name === name);
  return known ?? { name, letter: undefined, label: name, learns: '', shown: ['loss'], talks: false };
}

const labels: Readonly<Record<string, string>> = {
  loss: 'Loss',
  val_bpb: 'Held-out bits/byte',
  tokens_per_s: 'Tokens/s',
  exact: 'Held-out, right',
  val_accuracy: 'Held-out pairs in order',
  'objective/scores': 'Reward',
  'objective/kl': 'KL, nats',
};

export function figureLabel(name: string): string {
  return labels[name] ?? name;
}

const shares = new Set([
  'exact',
  'val_accuracy',
  'accuracy',
  'token_accuracy',
  'masked_accuracy',
  'val_masked_accuracy',
]);

export function figureText(name: string): (value: number) => string {
  return shares.has(name) ? percent : figure;
}
