import { describe, expect, it } from 'vitest';
import { readPromptedTasks } from './prompted-tasks.ts';
import { all } from './testing/all.ts';
import { rowsFile } from './testing/files.ts';

describe('readPromptedTasks', () => {
  it('reads rows with a cluster and a task, whatever the task is called', async () => {
    const rows = ['task', 'template', 'dataset'].map((name) =>
      JSON.stringify({ cluster: 'mood', [name]: 'film', prompt: 'Good?', completion: ' yes<|endoftext|>', more: 1 }),
    );
    const path = rowsFile([
      ...rows,
      JSON.stringify({ cluster: 'a', task: 'b', prompt: 'c', completion: 'd', options: ['d', ' e'] }),
    ]);
    const records = await all(readPromptedTasks(path));
    expect(records.slice(0, 3)).toEqual(
      [1, 2, 3].map((line) => ({
        cluster: 'mood',
        task: 'film',
        prompt: 'Good?',
        answer: 'yes',
        at: `${path}:${line}`,
      })),
    );
    expect(records[3]!.options).toEqual(['d', 'e']);
  });

  it.each([
    [
      { task: 'a', prompt: 'b', completion: 'c' },
      'has the fields "task", "prompt", "completion"; allowed are cluster, task or template or dataset, prompt, completion and options',
    ],
    [{ cluster: 'x', task: 'a', prompt: 'b' }, 'completion: is missing; a text is needed'],
    [{ cluster: 'x', task: 'a', prompt: 'b', completion: 'c', options: ['c'] }, 'options: has fewer than two'],
    [{ cluster: 'x', task: 'a', prompt: 'b', completion: 'c', options: 'c' }, 'options: is no list of texts'],
    [
      { cluster: 'x', task: 'a', prompt: 'b', completion: 'c', options: ['a', 'b'] },
      'options: has a, b, and not the completion c',
    ],
  ])('refuses %j', async (row, message) => {
    const path = rowsFile([JSON.stringify(row)]);
    await expect(all(readPromptedTasks(path))).rejects.toThrow(`${path}:1: ${message}`);
  });
});
