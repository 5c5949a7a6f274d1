import { describe, expect, it } from 'vitest';
import { modelFilesOf } from './model-files.ts';

describe('the files of a repository that make its model', () => {
  const beside = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'LICENSE'];
  const others = [
    'README.md',
    '.gitattributes',
    'onnx/model.onnx',
    'pytorch_model.bin',
    'runs/log.txt',
    'a.safetensors',
  ];

  it('are its configuration, its tokenizer and its weights, and nothing else', () => {
    expect(modelFilesOf([...others, ...beside, 'model.safetensors'], 'x/y').sort()).toEqual(
      [...beside, 'model.safetensors'].sort(),
    );
  });

  it('are all files of weights and their index, unless there is one with all of them', () => {
    const several = [
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ];
    expect(modelFilesOf(['config.json', ...several], 'x/y')).toEqual(['config.json', ...several]);
    const both = modelFilesOf(['config.json', ...several, 'model.safetensors'], 'x/y');
    expect(both).toEqual(['config.json', 'model.safetensors']);
  });

  it('are those of sentence-transformers too', () => {
    const more = ['modules.json', '1_Pooling/config.json', 'sentence_bert_config.json', 'vocab.txt'];
    expect(modelFilesOf(['config.json', ...more, '1_Pooling/x.bin', 'model.safetensors'], 'x/y')).toEqual([
      'config.json',
      ...more,
      'model.safetensors',
    ]);
  });

  it.each<[string, string[], string]>([
    ['no configuration', ['model.safetensors'], 'x/y: it is no repository of a model: it has no config.json'],
    ['no weights', ['config.json'], 'x/y: it has no weights'],
    [
      'weights in another format',
      ['config.json', 'pytorch_model.bin'],
      'x/y: its weights are in pytorch_model.bin and not in model.safetensors, which alone is read here: formats that run code of their author are not',
    ],
  ])('are none where there is %s', (_name, paths, message) => {
    expect(() => modelFilesOf(paths, 'x/y')).toThrow(message);
  });
});
