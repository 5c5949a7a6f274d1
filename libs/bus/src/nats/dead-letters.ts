/**
 * Dead letters on the wire: the event as it was, in binary mode, with headers that say who gave it up and why. Publishing
 * the message again without these headers gives the event another chance.
 */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { headers as createHeaders } from '@nats-io/transport-node';
import type { DeadLetter } from '../bus.ts';
import { encodeData } from '../event.ts';
import { decodeHeader, encodeHeader, eventFromMessage, headersFromEvent } from './cloud-event.ts';
import type { Publication } from './publication.ts';
import { deadLetterStream, deadLetterSubject } from './streams.ts';

export function publicationFromDeadLetter(letter: DeadLetter): Publication {
  const { time, from, reason, attempts, sequence, event, raw } = letter;
  const headers = event === undefined ? createHeaders() : headersFromEvent(event);
  const facts = { time, kind: from.kind, name: from.name, reason, attempts, sequence };
  for (const [fact, value] of Object.entries(facts)) headers.set(`crucible-dead-${fact}`, encodeHeader(String(value)));
  return {
    subject: deadLetterSubject(from),
    headers,
    payload: event === undefined ? Buffer.from(raw ?? '') : encodeData(event),
    id: `${from.kind}/${from.name}/${sequence}`,
  };
}

/** The newest first. */
export async function findDeadLetters(jsm: JetStreamManager, limit: number): Promise<DeadLetter[]> {
  const { state } = await jsm.streams.info(deadLetterStream);
  const letters: DeadLetter[] = [];
  for (let seq = state.last_seq; letters.length < limit && seq >= Math.max(state.first_seq, 1); seq--) {
    const message = await findMessage(jsm, seq);
    if (message !== undefined) letters.push(deadLetterFrom(message));
  }
  return letters;
}

async function findMessage(jsm: JetStreamManager, seq: number): Promise<StoredMsg | undefined> {
  try {
    return (await jsm.streams.getMessage(deadLetterStream, { seq })) ?? undefined;
  } catch (reason) {
    if (reason instanceof JetStreamApiError && reason.code === JetStreamApiCodes.NoMessageFound) return undefined;
    throw reason;
  }
}

function deadLetterFrom(message: StoredMsg): DeadLetter {
  const { header: headers, data, timestamp, subject } = message;
  const fact = (name: string): string => decodeHeader(headers.get(`crucible-dead-${name}`));
  const content = eventFromMessage({ subject, headers, data, timestamp });
  return {
    time: fact('time'),
    from: { kind: fact('kind') === 'queue' ? 'queue' : 'subscription', name: fact('name') },
    reason: fact('reason'),
    attempts: Number(fact('attempts')),
    sequence: Number(fact('sequence')),
    ...('problem' in content
      ? { event: undefined, raw: Buffer.from(data).toString() }
      : { event: content, raw: undefined }),
  };
}
