/** Short news under headings that name the topic. */
import { capitalized } from '../phrasing.ts';
import type { Draw } from '../task.ts';
import { drawTopicSentence, topics } from '../tasks/topic.ts';

export function drawNews({ split, random }: Draw): string {
  const sections = random.sample(topics, random.integer(2, 4)).map((topic) => {
    const sentences = Array.from({ length: random.integer(1, 3) }, () => drawTopicSentence(topic, split, random));
    return `${capitalized(topic)}: ${sentences.join(' ')}`;
  });
  return sections.join('\n');
}
