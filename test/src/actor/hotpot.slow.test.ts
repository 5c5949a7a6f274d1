/** HotpotQA: ReAct over the retriever, with a model that knows what to look for, finishes every question. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { createBus } from '@crucible/bus';
import { normalizeText } from '@crucible/prompting';
import { RetrieverService } from '@crucible/protos/retriever/v1';
import { createRetrieverService } from '@crucible/retriever';
import { createClient } from '@crucible/rpc';
import { recordingLogger } from '@crucible/service/testing';
import { startActor, startScripts } from './testing/actor.ts';

interface HotpotQuestion {
  readonly question: string;
  readonly answer: string;
  readonly supporting_facts: { readonly title: readonly string[]; readonly sent_id: readonly number[] };
  readonly context: { readonly title: readonly string[]; readonly sentences: readonly (readonly string[])[] };
}

const path = fileURLToPath(new URL('../../../../shared/data/qa/hotpot-distractor-100.json', import.meta.url));
const timeout = 240_000;

/** The actions that lead to what the answer rests on: its pages, and the sentences that stand further down on them. */
function planOf({ answer, context, supporting_facts: facts }: HotpotQuestion): string[] {
  const late = facts.title.flatMap((title, i) => {
    const sentence = facts.sent_id[i]!;
    const text = context.sentences[context.title.indexOf(title)]![sentence]!.trim();
    return sentence < 5 ? [] : [{ title, word: text.split(' ').slice(0, 4).join(' ') }];
  });
  return [
    ...[...new Set(facts.title)].flatMap((title) => [
      `Search[${title}]`,
      ...late.filter((each) => each.title === title).map(({ word }) => `Lookup[${word}]`),
    ]),
    `Finish[${answer}]`,
  ];
}

it.skipIf(!existsSync(path))(
  'the actor finishes every one of 100 questions of HotpotQA over the retriever (needs ../shared/data)',
  { timeout },
  async () => {
    const questions = JSON.parse(readFileSync(path, 'utf8')) as HotpotQuestion[];
    const texts = new Map(
      questions.flatMap(({ context }) => context.title.map((title, i) => [title, context.sentences[i]!.join('')])),
    );
    const home = mkdtempSync(join(tmpdir(), 'crucible-hotpot-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    await using bus = await createBus('embedded:');
    const { log } = recordingLogger();
    const retriever = await createRetrieverService({
      ...{ bus, home, log, host: '127.0.0.1', port: 0 },
      store: join(home, 'knowledge'),
    });
    onTestFinished(() => retriever.close(0));
    using documents = createClient(RetrieverService, retriever.target, { deadlineMs: timeout });
    const rows = Array.from(texts, ([title, text]) => JSON.stringify({ id: title, title, text })).join('\n');
    const { documentCount, failures } = await documents.ingest(
      (async function* () {
        await Promise.resolve();
        yield { part: { case: 'header' as const, value: { collection: 'hotpot', name: 'pages.jsonl' } } };
        const content = Buffer.from(rows);
        for (let at = 0; at < content.length; at += 2 ** 18)
          yield { part: { case: 'content' as const, value: content.subarray(at, at + 2 ** 18) } };
      })(),
    );
    expect([documentCount, failures]).toEqual([texts.size, []]);

    await using scripts = await startScripts();
    await using actor = await startActor({ home, scripts, bus, retrieverTarget: retriever.target });
    const counts = { finished: 0, exact: 0, supporting: 0, opened: 0, found: 0 };
    for (const item of questions) {
      const plan = planOf(item);
      scripts.on(item.question, (turn) => {
        const action = plan[Math.min(turn, plan.length) - 1]!;
        return `Thought ${turn}: I go on.\nAction ${turn}: ${action}\nObservation ${turn}: this I make up`;
      });
      const run = await actor.run({
        strategy: 'react',
        question: item.question,
        knowledge: { collection: 'hotpot' },
        react: { maxSteps: 12 },
      });
      const [answer] = run.of('answer');
      if (run.of('end')[0]?.reason === 'finished' && answer?.status === 'answered' && !answer.forced) counts.finished++;
      if (normalizeText(answer?.text ?? '') === normalizeText(item.answer)) counts.exact++;
      const supporting = new Set(item.supporting_facts.title);
      const passages = run.of('observation').flatMap((observation) => observation.passages ?? []);
      counts.supporting += supporting.size;
      counts.opened += supporting.intersection(new Set(passages.map(({ document }) => document.title))).size;
      // What a plain search for the question finds among ten passages, for comparison.
      const { hits } = await documents.search({ collection: 'hotpot', query: item.question, limit: 10 });
      counts.found += supporting.intersection(new Set(hits.map(({ document }) => document!.title))).size;
      for (const { document, text, start, end } of passages)
        expect(texts.get(document.title)!.slice(start, end)).toBe(text);
    }
    process.stderr.write(
      `HotpotQA: recall of supporting paragraphs by react ${counts.opened}/${counts.supporting}, by one search for the question ${counts.found}/${counts.supporting}\n`,
    );
    expect(counts).toMatchObject({ finished: 100, exact: 100, supporting: 200, opened: 200 });
  },
);
