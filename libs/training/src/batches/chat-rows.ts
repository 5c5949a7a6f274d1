/** Conversations as packed rows for fine-tuning: every token is read, the answers' tokens are learned. */
import { invalidInput, Random } from '@crucible/foundation';
import { type PredictionBatch, predictionBatch, type Target, targetsOf } from './prediction.ts';
import { branchesOf, RowFiller } from '@crucible/inference';
import { EpochOrder } from './epoch-order.ts';

/** A conversation as tokens; `answerMask` marks what the assistant says, the closing token included. */
export interface TokenizedChat {
  readonly ids: readonly number[];
  readonly answerMask: readonly boolean[];
}

/** Where fine-tuning batches come from: batch `step` is the same whenever it is asked for. */
export interface ChatSource {
  readonly batch: (step: number, rows: number, time: number) => PredictionBatch;
}

/** Endless conversations, made as they are needed. */
export function generatedChats(
  next: (random: Random) => TokenizedChat,
  { seed, pad }: { readonly seed: number; readonly pad: number },
): ChatSource {
  return {
    batch: (step, rows, time) => {
      const random = Random.seeded(seed).fork(`chats ${step}`);
      return fillRows(rows, time, pad, () => next(random));
    },
  };
}

/** A finite set of conversations: every epoch goes once through all, in a new order. */
export function finiteChats(
  chats: readonly TokenizedChat[],
  { seed, pad }: { readonly seed: number; readonly pad: number },
): ChatSource {
  if (chats.length === 0) throw invalidInput('instructions: there is no conversation to learn from');
  // Rows hold a varying number of conversations, so where batch n begins is known only after filling those before it.
  // The walk is over lengths alone and remembers where each batch began.
  const starts = [0];
  const order = new EpochOrder(chats, Random.seeded(seed));
  return {
    batch: (step, rows, time) => {
      for (let n = starts.length - 1; ; n++) {
        let position = starts[Math.min(n, step)]!;
        const batch = fillRows(
          rows,
          time,
          pad,
          () => order.at(position++),
          // The one that did not fit opens the next batch.
          () => position--,
        );
        if (n >= step) {
          starts[step + 1] = position;
          return batch;
        }
        starts[n + 1] = position;
      }
    },
  };
}

/** Fills rows in order; a conversation that does not fit the last row is given back. Longer ones than a row are cut. */
function fillRows(
  rows: number,
  time: number,
  pad: number,
  take: () => TokenizedChat,
  giveBack: () => unknown = () => undefined,
): PredictionBatch {
  const filler = new RowFiller(rows, time, pad);
  const targets: Target[] = [];
  for (let row = 0; row < rows;) {
    const { ids, answerMask } = cut(take(), time);
    if (ids.length > filler.room(row) && ++row === rows) {
      giveBack();
      break;
    }
    targets.push(...targetsOf(ids, answerMask, filler.place(row, branchesOf([ids]))[0]!));
  }
  return predictionBatch(filler.finish(), targets);
}

/**
 * A conversation that is longer than a row loses its beginning, down to a quarter of the row before the answer, and then
 * the end of the answer.
 */
function cut({ ids, answerMask }: TokenizedChat, time: number): TokenizedChat {
  if (ids.length <= time) return { ids, answerMask };
  const answer = answerMask.indexOf(true);
  const keptBefore = Math.min(answer, Math.max(Math.floor(time / 4), time - (ids.length - answer)));
  const start = answer - keptBefore;
  return { ids: ids.slice(start, start + time), answerMask: answerMask.slice(start, start + time) };
}
