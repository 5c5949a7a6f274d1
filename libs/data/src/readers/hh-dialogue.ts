/** Dialogues as in Anthropic's HH-RLHF: one text, turns that begin with `\n\nHuman:` and `\n\nAssistant:`. */
import type { ChatMessage } from '@crucible/tokenizer';
import { invalidField } from './row-fields.ts';

/** Throws unless the turns alternate, beginning with Human, ending with Assistant, and none is empty. */
export function parseHhDialogue(text: string, at: string, name: string): ChatMessage[] {
  const marks = [
    ...`\n\n${text.trimStart()}`.matchAll(/\n\n(Human|Assistant):([^]*?)(?=\n\nHuman:|\n\nAssistant:|$)/g),
  ];
  if (marks[0]?.index !== 0) throw invalidField(at, name, 'does not begin with "Human:"');
  const turns = marks.map(([, speaker, content]) => ({ speaker: speaker!, content: content!.trim() }));
  for (const [i, { speaker, content }] of turns.entries()) {
    const due = i % 2 === 0 ? 'Human' : 'Assistant';
    if (speaker !== due) throw invalidField(at, name, `turn ${i + 1} is of ${speaker}, and ${due} is due`);
    if (content === '') throw invalidField(at, name, `turn ${i + 1}, of ${speaker}, is empty`);
  }
  if (turns.at(-1)!.speaker === 'Human')
    throw invalidField(at, name, "ends with Human; the last turn must be the assistant's");
  return turns.map(({ speaker, content }) => ({ role: speaker === 'Human' ? 'user' : 'assistant', content }));
}
