export { answerKinds, extractAnswer, isSameAnswer } from './answers/task-answer.ts';
export type { AnswerKind, TaskAnswer } from './answers/task-answer.ts';
export { normalizeText, textF1 } from './answers/text-answers.ts';
export { LimitReached, resolveLimits } from './budget.ts';
export type { LimitReason, Limits } from './budget.ts';
export { createStrategy, strategyNames } from './catalog.ts';
export type { StrategyName, StrategyOptions } from './catalog.ts';
export type {
  ChatEvent,
  ChatMessage,
  ChatModel,
  ChatRequest,
  FinishReason,
  TokenLogprob,
  TokenUsage,
  ToolCall,
  ToolDescription,
  Wording,
} from './chat-model.ts';
export type { CodeResult, CodeRunner } from './code-runner.ts';
export { parseExamples } from './examples.ts';
export type { Example, ExampleChoice } from './examples.ts';
export { forgedWords, numberedPassages } from './forged-words.ts';
export { createLexicalRetriever } from './lexical-retriever.ts';
export type { LexicalRetrieverOptions } from './lexical-retriever.ts';
export { createPageTools } from './page-tools.ts';
export { createPythonTool } from './python-tool.ts';
export type { PythonToolOptions } from './python-tool.ts';
export type { Embedder, Passage, Retriever, SearchOptions, TextDocument } from './retriever.ts';
export { collectRun, runStrategy } from './run-strategy.ts';
export type { RunOptions, RunResult } from './run-strategy.ts';
export type { Sampling, Services, Task } from './run.ts';
export { sideBySide } from './side-by-side.ts';
export type { Citation, EndReason, Outcome, OutcomeStatus, RunUsage, Step, StepBody } from './step.ts';
export { StopMatcher } from './stop-matcher.ts';
export type { Need, Strategy } from './strategy.ts';
export { createDirect } from './strategies/direct.ts';
export { createReactThenSelfConsistency, createSelfConsistencyThenReact } from './strategies/fall-back.ts';
export { createChainOfThought, createFewShot } from './strategies/few-shot.ts';
export type { FewShotOptions } from './strategies/few-shot.ts';
export { createPal } from './strategies/pal.ts';
export type { PalOptions } from './strategies/pal.ts';
export { createRag } from './strategies/rag.ts';
export type { RagOptions } from './strategies/rag.ts';
export { createReact } from './strategies/react.ts';
export type { ReactOptions } from './strategies/react.ts';
export { createSelfConsistency } from './strategies/self-consistency.ts';
export type { SelfConsistencyOptions } from './strategies/self-consistency.ts';
export { createStepByStep } from './strategies/step-by-step.ts';
export type { StepByStepOptions } from './strategies/step-by-step.ts';
export type { Picture, Tool, ToolResult } from './tool.ts';
