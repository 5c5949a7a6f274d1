/** Instructions that say which task and which cluster of tasks they are of: what instruction tuning is mixed from. */
import { z } from 'zod';
import { createRecordStream, type ReadRowsOptions, type RecordStream } from './record-stream.ts';
import { answerFrom, field, hasField, invalidField, textSchema, unknownShape } from './row-fields.ts';

export interface PromptedTaskRecord {
  /** Tasks of one kind: held out together. */
  readonly cluster: string;
  readonly task: string;
  readonly prompt: string;
  readonly answer: string;
  /** The answers to choose from, the right one among them. */
  readonly options?: readonly string[];
  /** FILE:LINE */
  readonly at: string;
}

const taskNames = ['task', 'template', 'dataset'] as const;

/**
 * Reads .jsonl or .jsonl.gz with rows {cluster, task (or template, dataset), prompt, completion, options?}. A literal
 * `<|endoftext|>` at the end of an answer is taken off.
 */
export function readPromptedTasks(path: string, options: ReadRowsOptions = {}): RecordStream<PromptedTaskRecord> {
  return createRecordStream(
    path,
    () => ({
      parse: (row, at) => {
        const task = taskNames.find((name) => hasField(row, name));
        if (task === undefined || !hasField(row, 'cluster') || !hasField(row, 'prompt')) {
          throw unknownShape(row, at, `cluster, ${taskNames.join(' or ')}, prompt, completion and options`);
        }
        const answer = answerFrom(field(row, 'completion', textSchema, at), at, 'completion').trim();
        const given = hasField(row, 'options') ? field(row, 'options', optionsSchema, at) : undefined;
        const choices = given?.map((option) => option.trim());
        if (choices && !choices.includes(answer))
          throw invalidField(at, 'options', `has ${choices.join(', ')}, and not the completion ${answer}`);
        return [
          {
            cluster: field(row, 'cluster', textSchema, at),
            task: field(row, task, textSchema, at),
            prompt: field(row, 'prompt', textSchema, at),
            answer,
            ...(choices && { options: choices }),
            at,
          },
        ];
      },
    }),
    options,
  );
}

const optionsSchema = z.array(textSchema, 'is no list of texts').min(2, 'has fewer than two');
