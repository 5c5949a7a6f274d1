/** What a right response must be, as data: all that the verifier needs, JSON-safe, whatever the task. */
import type { Random } from '@crucible/foundation';
import type { ActionExpectation } from './action.ts';
import { readAction, wrongAction } from './action.ts';
import type { LabelExpectation } from './label.ts';
import { readLabel, wrongLabel } from './label.ts';
import type { MembersExpectation } from './members.ts';
import { readMembers, wrongMembers } from './members.ts';
import type { NumberExpectation } from './number.ts';
import { readNumber, wrongNumber } from './number.ts';
import type { PassageExpectation } from './passage.ts';
import { readPassage, wrongPassage } from './passage.ts';
import type { ProgramExpectation } from './program.ts';
import { readProgram, wrongProgram } from './program.ts';
import type { Reading } from './reading.ts';
import type { ReplyExpectation } from './reply.ts';
import { readReply, wrongReply } from './reply.ts';
import type { TextExpectation } from './text.ts';
import { readText, wrongText } from './text.ts';

export type Expectation =
  | ActionExpectation
  | LabelExpectation
  | MembersExpectation
  | NumberExpectation
  | PassageExpectation
  | ProgramExpectation
  | ReplyExpectation
  | TextExpectation;

/** Finds in a response what was expected. `questionWords`: the words of all messages before it, in lower case. */
export function readResponse(expected: Expectation, response: string, questionWords: ReadonlySet<string>): Reading {
  switch (expected.kind) {
    case 'action':
      return readAction(expected, response);
    case 'label':
      return readLabel(expected, response, questionWords);
    case 'members':
      return readMembers(expected, response);
    case 'number':
      return readNumber(expected, response, questionWords);
    case 'passage':
      return readPassage(expected, response, questionWords);
    case 'program':
      return readProgram(expected, response);
    case 'reply':
      return readReply(expected, response);
    case 'text':
      return readText(expected, response, questionWords);
  }
}

/** A response of the same form as the ideal one, and wrong. */
export function wrongResponse(expected: Expectation, ideal: string, random: Random): string {
  switch (expected.kind) {
    case 'action':
      return wrongAction(expected, ideal, random);
    case 'label':
      return wrongLabel(expected, random);
    case 'members':
      return wrongMembers(expected, random);
    case 'number':
      return wrongNumber(expected, random);
    case 'passage':
      return wrongPassage(expected, random);
    case 'program':
      return wrongProgram(expected, ideal, random);
    case 'reply':
      return wrongReply(expected, random);
    case 'text':
      return wrongText(expected, random);
  }
}
