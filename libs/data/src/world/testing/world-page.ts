/**
 * The generated parts of docs/world.md: one block a sample, between the markers that name it. Run this file to renew
 * them; a test compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Random } from '@crucible/foundation';
import type { ChatMessage } from '@crucible/tokenizer';
import { documentKinds, drawDocument } from '../documents/document.ts';
import { taskNames } from '../example.ts';
import { createWorld, formatsOf } from '../world.ts';

export const worldPage = new URL('../../../../../docs/world.md', import.meta.url);

const seed = 1;

/** Every sample by the name of its marker. */
export function worldSamples(): Map<string, string> {
  const world = createWorld();
  const randomFor = (name: string): Random => Random.seeded(seed).fork(name);
  const samples = new Map<string, string>();
  for (const task of taskNames) {
    for (const format of formatsOf(task)) {
      const name = `${task}, ${format}`;
      const { messages, response } = world.example({ task, format, split: 'train', random: randomFor(name) });
      samples.set(name, conversation([...messages, { role: 'assistant', content: response }]));
    }
  }
  const { messages } = world.trajectory({ task: 'multihop', split: 'train', random: randomFor('trajectory') });
  samples.set('trajectory', conversation(messages));
  const graded = randomFor('graded answers');
  const example = world.example({ task: 'arithmetic', format: 'plain', split: 'train', random: graded });
  const answers = world
    .gradedAnswers(example, graded)
    .map(({ kind, score, text }) => `${kind}, ${score}\n${indented(text)}`);
  samples.set('graded answers', [`user\n${indented(example.messages[0]!.content)}`, ...answers].join('\n'));
  const draw = { split: 'train', country: world.country, encyclopedia: () => world.encyclopedia('train') } as const;
  for (const kind of documentKinds) {
    const name = `document, ${kind}`;
    samples.set(name, drawDocument({ ...draw, random: randomFor(name) }, kind));
  }
  return samples;
}

function conversation(messages: readonly ChatMessage[]): string {
  return messages.map(({ role, content }) => `${role}\n${indented(content)}`).join('\n');
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

/** The page with its samples renewed. */
export function renewedPage(page: string): string {
  const samples = worldSamples();
  return page.replace(
    /(<!-- sample: (.*) -->\n\n```text\n)[^]*?(\n```)/g,
    (block, before: string, name: string, after: string) => {
      const sample = samples.get(name);
      return sample === undefined ? block : before + sample + after;
    },
  );
}

if (import.meta.main) writeFileSync(worldPage, renewedPage(readFileSync(worldPage, 'utf8')));
