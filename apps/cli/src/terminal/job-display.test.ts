import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { JobEventSchema, type JobEvent, JobSchema, JobState } from '@crucible/protos/trainer/v1';
import { expect, it } from 'vitest';
import { JobDisplay } from './job-display.ts';

interface Progress {
  readonly seconds: number;
  readonly step: number;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly message?: string;
}

function progressed({ seconds, step, metrics = {}, message = '' }: Progress): JobEvent {
  return create(JobEventSchema, {
    occurredAt: timestampFromMs(1000 * seconds),
    event: { case: 'progressed', value: { stage: 'pretrain', step, steps: 800, metrics, message } },
  });
}

function output(terminal: { readonly isTTY?: boolean; readonly columns?: number }): {
  readonly stream: NodeJS.WriteStream;
  readonly text: () => string;
} {
  const written: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString());
      done();
    },
  });
  return { stream: Object.assign(sink, terminal) as never, text: () => written.join('') };
}

/** What is seen after the last time that lines were taken back. */
function lastDrawn(text: string): string[] {
  return stripVTControlCharacters(text.slice(text.lastIndexOf('\u001b[0J') + 4))
    .trimEnd()
    .split('\n');
}

const metrics = { loss: 2.5, val_bpb: 1.75, tokens_per_s: 23_400 };

function drawnAt(columns: number): string[] {
  const { stream, text } = output({ isTTY: true, columns });
  const display = new JobDisplay({ stream, expected: ['pretrain', 'sft'] });
  display.update(progressed({ seconds: 10, step: 0 }));
  display.update(progressed({ seconds: 20, step: 400, metrics }));
  return lastDrawn(text());
}

const figures = 'loss 2.500  held-out 1.750 bits/byte  23.4k tokens/s';

it('draws a line a stage again and again, those to come below', () => {
  expect(drawnAt(130)).toEqual([
    `▸ A  pre-training   ${'█'.repeat(12)}${'░'.repeat(12)}     400/800  0:10 (0:10 left)  ${figures}`,
    '  B  fine-tuning',
  ]);
});

it('puts the figures below where the terminal is narrow', () => {
  const lines = [
    `▸ A  pre-training   ${'█'.repeat(12)}${'░'.repeat(12)}     400/800  0:10 (0:10 left)`,
    `                    ${figures}`,
    '  B  fine-tuning',
  ];
  expect(drawnAt(80)).toEqual(lines);
  expect(drawnAt(0), 'a terminal that does not tell its width').toEqual(lines);
});

it('cuts lines where there is no room at all', () => {
  expect(drawnAt(40).map(({ length }) => length)).toEqual([39, 39, 16]);
});

it('takes back as many lines as it drew', () => {
  const { stream, text } = output({ isTTY: true, columns: 80 });
  const display = new JobDisplay({ stream });
  display.update(progressed({ seconds: 10, step: 0, metrics }));
  display.update(progressed({ seconds: 11, step: 1, metrics }));
  expect(text()).toContain('\u001b[2A\u001b[0J');
});

it('says messages above the lines', () => {
  const { stream, text } = output({ isTTY: true, columns: 120 });
  const display = new JobDisplay({ stream });
  display.update(progressed({ seconds: 10, step: 0 }));
  display.update(progressed({ seconds: 20, step: 1, message: 'Left out 3 rows.' }));
  const seen = stripVTControlCharacters(text()).split('\n');
  expect(seen).toContain('Left out 3 rows.');
  expect(seen.at(-2)).toMatch(/^▸ A {2}pre-training/);
});

it('writes a line now and then where there is no terminal, and how long it took', () => {
  const { stream, text } = output({});
  const display = new JobDisplay({ stream });
  for (let step = 0; step <= 800; step += 100) display.update(progressed({ seconds: 10 + step / 100, step }));
  display.finish(
    create(JobSchema, {
      state: JobState.SUCCEEDED,
      startedAt: timestampFromMs(10_000),
      finishedAt: timestampFromMs(75_000),
    }),
  );
  expect(text().trimEnd().split('\n')).toEqual([
    expect.stringMatching(/^▸ A {2}pre-training .* 0\/800/),
    expect.stringMatching(/^✓ A {2}pre-training .* 800\/800/),
    'Done after 1:05.',
  ]);
});
