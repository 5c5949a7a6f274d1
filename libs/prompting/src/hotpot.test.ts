/** ReAct over the paragraphs of 100 questions of HotpotQA, with a model that knows what to look for. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { normalizeText, textF1 } from './answers/text-answers.ts';
import type { ChatMessage } from './chat-model.ts';
import { createLexicalRetriever } from './lexical-retriever.ts';
import { createPageTools } from './page-tools.ts';
import { createReact } from './strategies/react.ts';
import { run } from './testing/run.ts';
import { scriptedModel } from './testing/scripted-model.ts';

interface HotpotQuestion {
  readonly question: string;
  readonly answer: string;
  readonly supporting_facts: { readonly title: readonly string[]; readonly sent_id: readonly number[] };
  readonly context: { readonly title: readonly string[]; readonly sentences: readonly (readonly string[])[] };
}

const path = fileURLToPath(new URL('../../../../shared/data/qa/hotpot-distractor-100.json', import.meta.url));

/** Looks up the pages that the answer rests on, one after the other, reads on where it must, and finishes. */
function oracle(item: HotpotQuestion): (messages: readonly ChatMessage[]) => string {
  const titles = [...new Set(item.supporting_facts.title)];
  const facts = item.supporting_facts.title.map((title, i) => ({
    title,
    text: item.context.sentences[item.context.title.indexOf(title)]![item.supporting_facts.sent_id[i]!]!.trim(),
  }));
  const plan = titles.flatMap((title) => {
    const late = facts.filter(
      (fact) => fact.title === title && item.supporting_facts.sent_id[facts.indexOf(fact)]! >= 5,
    );
    return [`Search[${title}]`, ...late.map(({ text }) => `Lookup[${text.split(' ').slice(0, 4).join(' ')}]`)];
  });
  return (messages) => {
    const step = messages.filter(({ role }) => role === 'assistant').length + 1;
    const action = plan[step - 1] ?? `Finish[${item.answer}]`;
    return `Thought ${step}: I go on.\nAction ${step}: ${action}\nObservation ${step}: this I make up`;
  };
}

it.skipIf(!existsSync(path))(
  'react finishes every one of 100 questions of HotpotQA (needs ../shared/data)',
  async () => {
    const questions = JSON.parse(readFileSync(path, 'utf8')) as HotpotQuestion[];
    const texts = new Map(
      questions.flatMap(({ context }) => context.title.map((title, i) => [title, context.sentences[i]!.join('')])),
    );
    const retriever = createLexicalRetriever(Array.from(texts, ([title, text]) => ({ id: title, title, text })));
    const counts = { finished: 0, exact: 0, supportingPages: 0, pagesOpened: 0, direct: 0, supporting: 0 };
    for (const item of questions) {
      const answerOf = oracle(item);
      const model = scriptedModel(({ messages }) => answerOf(messages));
      const { outcome, reason, of } = await run(createReact({ maxSteps: 12 }), item.question, {
        model,
        tools: () => createPageTools(retriever),
      });
      if (reason === 'finished' && outcome.status === 'answered' && outcome.forced === undefined) counts.finished++;
      if (normalizeText(outcome.text) === normalizeText(item.answer) && textF1(outcome.text, item.answer).f1 === 1)
        counts.exact++;
      const supporting = new Set(item.supporting_facts.title);
      const opened = new Set(
        of('observation').flatMap(({ passages = [] }) => passages.map(({ document }) => document.title)),
      );
      counts.supportingPages += supporting.size;
      counts.pagesOpened += supporting.intersection(opened).size;
      // What a plain search for the question finds among 10 passages, for comparison.
      const found = await retriever.search(item.question, { limit: 10, signal: new AbortController().signal });
      counts.direct += supporting.intersection(new Set(found.map(({ document }) => document.title))).size;
      for (const { passages = [] } of of('observation'))
        for (const { document, text, start, end } of passages)
          expect(texts.get(document.title)!.slice(start, end)).toBe(text);
    }
    counts.supporting = counts.supportingPages;
    expect(counts).toMatchObject({ finished: 100, exact: 100, supportingPages: 200, pagesOpened: 200 });
  },
);
