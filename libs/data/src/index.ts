export { documentWeights } from './world/documents/document.ts';
export type { Encyclopedia, Page } from './world/encyclopedia.ts';
export { formats, taskNames } from './world/example.ts';
export type { Example, Format, Question, TaskName } from './world/example.ts';
export type { Expectation } from './world/expectations/expectation.ts';
export { answerKinds, demonstrationMix } from './world/graded-answers.ts';
export type { AnswerKind, Demonstration, DemonstrationMix, GradedAnswer } from './world/graded-answers.ts';
export type { PageReader } from './world/page-reader.ts';
export { labelledTasks } from './world/labelled.ts';
export type { LabelledExample, LabelledOptions, LabelledTask } from './world/labelled.ts';
export { splits } from './world/split.ts';
export type { Split } from './world/split.ts';
export { scores, verdictReasons } from './world/verdict.ts';
export type { Verdict, VerdictReason, VerifyOptions } from './world/verdict.ts';
export { createWorld, formatsOf, taskWeights } from './world/world.ts';
export type {
  Conversation,
  ExampleOptions,
  QuestionOptions,
  TrajectoryOptions,
  World,
  WorldOptions,
} from './world/world.ts';
export { readCorpus } from './readers/corpus.ts';
export type { CorpusDocument, CorpusHoldout, ReadCorpusOptions } from './readers/corpus.ts';
export { readInstructions } from './readers/instructions.ts';
export type { InstructionRecord } from './readers/instructions.ts';
export { readLabelled } from './readers/labelled.ts';
export type { LabelledRecord } from './readers/labelled.ts';
export { readPreferences } from './readers/preferences.ts';
export type { GradedRecord, PreferencePair, PreferenceRecord, ScoredAnswer } from './readers/preferences.ts';
export { readPromptedTasks } from './readers/prompted-tasks.ts';
export type { PromptedTaskRecord } from './readers/prompted-tasks.ts';
export { readPrompts } from './readers/prompts.ts';
export type { PromptRecord } from './readers/prompts.ts';
export type { ReadRowsOptions, RecordStream, SkippedRows } from './readers/record-stream.ts';
export { isHeldOut, splitByHash } from './readers/split-by-hash.ts';
