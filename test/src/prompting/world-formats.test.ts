/** Strategies ask a forged model in exactly the words that the built-in world trains. */
import { describe, expect, it } from 'vitest';
import { createWorld } from '@crucible/data';
import { Random } from '@crucible/foundation';
import {
  type ChatMessage,
  collectRun,
  createLexicalRetriever,
  createPageTools,
  createPythonTool,
  createStrategy,
  runStrategy,
  type Services,
} from '@crucible/prompting';
import { createPythonRunner, findPython, scriptedModel } from '@crucible/prompting/testing';

const world = createWorld({ seed: 1 });
const forged = { wording: 'forged', plainToolMessages: true } as const;

/** What a strategy asked at the last, with a model that answers as the world would. */
async function lastPrompt(
  strategy: string,
  question: string,
  answers: readonly string[],
  more: Partial<Services> = {},
) {
  const model = scriptedModel(answers, forged);
  const result = await collectRun(runStrategy(createStrategy(strategy), { question }, { model, ...more }));
  return { ...result, messages: model.requests.at(-1)!.messages };
}

function turnsOf(messages: readonly ChatMessage[]): string[] {
  return messages.filter(({ role }) => role === 'assistant').map(({ content }) => content);
}

describe('the built-in world', () => {
  it('multihop: the same conversation, observations included, and the same answer', async () => {
    const { pages } = world.encyclopedia('heldout');
    const retriever = createLexicalRetriever(
      pages.map(({ title, sentences }) => ({ id: title, title, text: sentences.join(' ') })),
    );
    const random = Random.seeded(3);
    for (let i = 0; i < 40; i++) {
      const { messages, answer } = world.trajectory({ split: 'heldout', random, task: 'multihop' });
      const tools = () => createPageTools(retriever);
      const run = await lastPrompt('react', messages[1]!.content, turnsOf(messages), { tools });
      expect(run.messages).toEqual(messages.slice(0, -1));
      expect(run.outcome).toMatchObject({ status: 'answered', text: answer });
    }
  });

  const python = findPython();

  it.skipIf(python === undefined)('calculation: the same conversation and results (needs Python 3)', async () => {
    const tools = () => [createPythonTool(createPythonRunner(python!), { decimals: 6 })];
    const code = createPythonRunner(python!);
    const random = Random.seeded(4);
    for (let i = 0; i < 5; i++) {
      const { messages, answer } = world.trajectory({ split: 'heldout', random, task: 'calculation' });
      const run = await lastPrompt('react', messages[1]!.content, turnsOf(messages), { tools });
      expect(run.messages).toEqual(messages.slice(0, -1));
      expect(run.outcome.text).toBe(answer);
      const example = world.example({ split: 'heldout', random, task: 'calculation', format: 'program' });
      const pal = await lastPrompt('pal', example.messages[1]!.content, [example.response], { code });
      expect(pal.messages).toEqual(example.messages);
      expect(Number(pal.outcome.key)).toBeCloseTo(Number(example.answer), 5);
    }
  });

  it('lookup: the same pages and question, and answers that cite them are read as the verifier reads them', async () => {
    const random = Random.seeded(5);
    const statuses = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const example = world.example({ split: 'train', random, task: 'lookup', format: 'pages' });
      const lines = example.messages[0]!.content.split('\n');
      const texts = lines.filter((line) => /^\[\d\] /.test(line)).map((line) => line.slice(4));
      const question = lines.at(-1)!.replace(/^Question: /, '');
      // The pages in their order: the retriever's order is not what is tested here.
      const retriever = {
        documentOf: () => Promise.resolve(undefined),
        search: (_query: string, { limit }: { readonly limit: number }) =>
          Promise.resolve(
            texts
              .map((text, n) => ({
                document: { id: `${n}`, title: `page ${n}` },
                text,
                start: 0,
                end: text.length,
                score: -n,
              }))
              .slice(0, limit),
          ),
      };
      const run = await lastPrompt('rag', question, [example.response], { retriever });
      expect(run.messages).toEqual(example.messages);
      if (example.expected.kind !== 'passage') throw new Error('not a passage');
      const { answer } = example.expected;
      statuses.add(run.outcome.status);
      if (answer === null) expect(run.outcome.status).toBe('not-found');
      else
        expect(run.outcome).toMatchObject({
          status: 'answered',
          text: `${answer.value} [${answer.passage}]`,
          citations: [{ number: answer.passage, supported: true }],
        });
    }
    expect(statuses).toEqual(new Set(['answered', 'not-found']));
  });

  it('classification: solved examples as in training', async () => {
    const random = Random.seeded(7);
    const layout = 'Text: {text} Answer: {label}';
    let checked = 0;
    while (checked < 20) {
      const example = world.example({ split: 'train', random, task: 'topic', format: 'few-shot' });
      if (example.phrasing !== layout) continue;
      const parts = example.messages[0]!.content.split('\n\n').map((part) => /^Text: (.*) Answer:(.*)$/.exec(part)!);
      const examples = parts
        .slice(0, -1)
        .map(([, question, answer]) => ({ question: question!, answer: answer!.trim() }));
      const model = scriptedModel([example.response], forged);
      await collectRun(
        runStrategy(createStrategy('few-shot', { examples }), { question: parts.at(-1)![1]! }, { model }),
      );
      expect(model.requests[0]!.messages).toEqual(example.messages);
      checked++;
    }
  });

  it('arithmetic: the trigger of training, and the worked answer is read', async () => {
    const random = Random.seeded(6);
    for (let i = 0; i < 40; i++) {
      const example = world.example({ split: 'heldout', random, task: 'arithmetic', format: 'steps' });
      const model = scriptedModel([example.response], forged);
      const strategy = createStrategy('step-by-step');
      const { outcome } = await collectRun(
        runStrategy(strategy, { question: 'What is it?', answer: { kind: 'number' } }, { model }),
      );
      expect(outcome).toEqual({ status: 'answered', text: example.answer, key: example.answer });
      expect(model.requests.map(({ messages }) => messages)).toEqual([
        [{ role: 'user', content: "What is it? Let's think step by step." }],
      ]);
    }
  });
});
