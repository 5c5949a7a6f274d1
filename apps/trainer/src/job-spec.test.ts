import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ModelRegistry, saveModel } from '@crucible/checkpoint';
import { JobSpecSchema } from '@crucible/protos/trainer/v1';
import { temporaryFolder, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { assertJobId, checkedJsonSpec, checkedSpec, pathFromUri } from './job-spec.ts';

type SpecInit = MessageInitShape<typeof JobSpecSchema>;

const registry = new ModelRegistry('/a folder that does not exist');

const check = (spec: SpecInit): unknown => checkedSpec(create(JobSpecSchema, spec), registry);

const forge = (value: object): SpecInit => ({ kind: { case: 'forge', value: { name: 'chat', ...value } } });

describe('checkedSpec', () => {
  it('gives a good spec back as JSON, with its kind', () => {
    expect(check(forge({ preset: 'smoke', seed: 7, options: { sft: { steps: 100 } } }))).toEqual({
      kind: 'forge',
      json: { forge: { name: 'chat', preset: 'smoke', seed: 7, options: { sft: { steps: 100 } } } },
    });
  });

  it('takes files and file: URLs that are there', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'a text.txt');
    writeFileSync(file, 'text');
    const spec = (uri: string): SpecInit => ({
      kind: { case: 'pretrain', value: { name: 'base', corpusUris: [uri] } },
    });
    for (const uri of [folder, file, pathToFileURL(file).href]) {
      expect(check(spec(uri))).toMatchObject({ kind: 'pretrain' });
    }
  });

  it.each([
    ['an empty spec', {}, 'spec is empty; it says what the job does', 'spec'],
    [
      'no name',
      forge({ name: '' }),
      'spec.forge.name "": 1 to 62 of the characters a-z, 0-9, -, _ and .',
      'spec.forge.name',
    ],
    ['a name with a slash', forge({ name: '../x' }), 'spec.forge.name "../x": 1 to 62', 'spec.forge.name'],
    [
      'a name that leaves no room for the letter of the stage',
      forge({ name: 'x'.repeat(63) }),
      `"${'x'.repeat(63)}": 1 to 62 of the characters`,
      'spec.forge.name',
    ],
    ['an unknown preset', forge({ preset: 'huge' }), 'preset huge does not exist; there are tiny, ', 'preset'],
    [
      'an unknown stage',
      forge({ options: { dpo: { steps: 1 } } }),
      'option dpo does not exist; there are data, vocabulary, ',
      'dpo',
    ],
    [
      'an unknown option',
      forge({ options: { sft: { stepz: 1 } } }),
      'option sft.stepz does not exist; there are ',
      'sft.stepz',
    ],
    [
      'an option of another type',
      forge({ options: { sft: { steps: 'ten' } } }),
      'option sft.steps is "ten"; a number is needed',
      'sft.steps',
    ],
    [
      'an option below zero',
      forge({ options: { sft: { steps: -1 } } }),
      'option sft.steps is -1; a number from 0 is needed',
      'sft.steps',
    ],
    [
      'parts that a batch cannot be cut into',
      {
        kind: { case: 'pretrain', value: { name: 'base', corpusUris: ['/'], options: { rows: 12, microBatches: 5 } } },
      },
      'pretrain: 12 rows do not divide into 5 microBatches',
      'pretrain.microBatches',
    ],
    ['a value where a group is', forge({ options: { sft: 3 } }), 'option sft is a group of options', 'sft'],
    [
      'a corpus that is not there',
      forge({ corpusUris: ['/no/such/corpus'] }),
      'spec.forge.corpus_uris: /no/such/corpus does not exist',
      'spec.forge.corpus_uris',
    ],
    [
      'a corpus somewhere else',
      forge({ corpusUris: ['s3://bucket/corpus'] }),
      'spec.forge.corpus_uris: s3://bucket/corpus: only paths and file: URLs can be read',
      'spec.forge.corpus_uris',
    ],
    [
      "instructions of one's own without a corpus",
      forge({ instructionUris: ['/'] }),
      "spec.forge.corpus_uris is empty; with instructions of one's own a corpus is needed too",
      'spec.forge.corpus_uris',
    ],
    [
      'pre-training on nothing',
      { kind: { case: 'pretrain', value: { name: 'base' } } },
      'spec.pretrain.corpus_uris is empty; at least one is needed',
      'spec.pretrain.corpus_uris',
    ],
    [
      'fine-tuning of nothing',
      { kind: { case: 'sft', value: { name: 'chat', instructionUris: ['/'] } } },
      'spec.sft.base_model is missing',
      'spec.sft.base_model',
    ],
    [
      'a base model that is not there',
      {
        kind: { case: 'sft', value: { name: 'chat', baseModel: { name: 'base', version: 3 }, instructionUris: ['/'] } },
      },
      'spec.sft.base_model: model base@3 does not exist; known are none yet',
      'spec.sft.base_model',
    ],
  ] as const)('refuses %s', (_what, spec, message, at) => {
    let caught: unknown;
    try {
      check(spec as SpecInit);
    } catch (reason) {
      caught = reason;
    }
    expect(caught).toMatchObject({ message: expect.stringContaining(message) as string, at });
    expect(['invalid-input', 'not-found']).toContain((caught as { code: string }).code);
  });
});

describe('checkedJsonSpec', () => {
  it('checks what came by the queue in the same way', () => {
    expect(checkedJsonSpec({ forge: { name: 'chat', seed: 3 } }, registry)).toEqual({
      kind: 'forge',
      json: { forge: { name: 'chat', seed: 3 } },
    });
    expect(() => checkedJsonSpec({ forge: { name: 'chat', preset: 'huge' } }, registry)).toThrow(
      'preset huge does not exist',
    );
  });

  it.each([{ distil: {} }, { forge: { name: 3 } }, 'forge'])('refuses %j, which is no JobSpec', (json) => {
    expect(() => checkedJsonSpec(json, registry)).toThrow('spec: it is no crucible.trainer.v1.JobSpec: ');
  });
});

it('checks the options of a stage over the settings for its base model, which was made here or elsewhere', async () => {
  const models = new ModelRegistry(temporaryFolder());
  const card = { kind: 'language', stage: 'sft', step: 1, finished: true, metrics: {} } as const;
  const fill = (folder: string): void => {
    saveModel(folder, { kind: 'language', config: tinyLlamaConfig, weights: tinyLlama(1) }, {});
    writeFileSync(join(folder, 'tokenizer.json'), '{}');
  };
  await models.publish({ ...card, name: 'ours' }, fill);
  await models.publish({ ...card, name: 'theirs', origin: 'somebody/something' }, fill);
  const tune = (name: string) =>
    checkedSpec(
      create(JobSpecSchema, {
        kind: {
          case: 'sft',
          value: { name: 'mine', baseModel: { name }, instructionUris: ['/'], options: { microBatches: 8 } },
        },
      }),
      models,
    );
  expect(tune('ours')).toMatchObject({ kind: 'sft' });
  expect(() => tune('theirs')).toThrow('sft: 4 rows do not divide into 8 microBatches');
});

describe('assertJobId', () => {
  it('takes what a folder and a subject can be called', () => {
    for (const id of ['a', '0', 'first-job-2', 'x'.repeat(64)]) expect(() => assertJobId(id)).not.toThrow();
    for (const id of ['', '-a', 'A', 'a.b', 'a/b', '..', 'x'.repeat(65)])
      expect(() => assertJobId(id)).toThrow(`job_id ${JSON.stringify(id)}: 1 to 64 of the characters a-z, 0-9 and -`);
  });
});

describe('pathFromUri', () => {
  it('takes a path as it is and a URL apart', () => {
    expect(pathFromUri('/data/a%20b')).toBe('/data/a%20b');
    expect(pathFromUri('file:///data/a%20b')).toBe('/data/a b');
  });
});
