export { findContamination } from './contamination.ts';
export type { Contamination } from './contamination.ts';
export type { Method, TuneContext, TunedModel, TuneProgress, TuneSettings } from './method.ts';
export { accuracyOf } from './method.ts';
export { classificationFigures, meanWithInterval, shareWithInterval } from './metrics.ts';
export type { ClassificationFigures, Share } from './metrics.ts';
export { decoderMethod, inContextMethod } from './methods/decoder.ts';
export type { CausalModel, DecoderMethodKind, DecoderOptions, InContextOptions } from './methods/decoder.ts';
export { headMethod } from './methods/head.ts';
export type { HeadScope } from './methods/head.ts';
export { promptMethod } from './methods/prompt.ts';
export type { PromptOptions } from './methods/prompt.ts';
export type { MaskedModel, PromptScope } from './prompt-model.ts';
export { findLabelWords, findTriggers, rankTemplates } from './search.ts';
export type { FoundTemplate, RankedTemplate, TriggerSearch, WordSearchOptions } from './search.ts';
export { kShot, readTask, worldTask } from './task.ts';
export type { LabelledText, TaskData, TaskFiles, WorldTaskSizes } from './task.ts';
export { openClassifier, readLabels } from './open-classifier.ts';
export { promptFile } from './saved-prompt.ts';
export type { Classifier, LoadedBase } from './open-classifier.ts';
export { parseTemplate, TemplateEncoder } from './template.ts';
export type { EncodedPrompt, Field, PromptKind, Template, TemplateInput, TemplatePart } from './template.ts';
export { calibrated, createVerbalizer, searchLabelWords } from './verbalizer.ts';
export type { LabelWords, SeveralTokens, Verbalizer, VerbalizerOptions } from './verbalizer.ts';
export { defaultTemplate, methodNames, methods, resolveTuneSettings, tune, usualSeeds } from './tune.ts';
export type { MethodName, TuneModel, TuneOptions, TuneResult, TuneRun } from './tune.ts';
export { compare } from './compare/compare.ts';
export type { ComparedCells, CompareOptions, CompareProgress } from './compare/compare.ts';
export { CellRunner } from './compare/cell-runner.ts';
export type {
  Cell,
  CellResult,
  ComparedModel,
  ComparedTask,
  Comparison,
  ComparisonSettings,
  ModelRole,
} from './compare/comparison.ts';
export { checkedSettings, comparisonPresets, parseComparisonPlan } from './compare/plan.ts';
export type { ComparisonPlan, ComparisonPreset } from './compare/plan.ts';
export { comparisonReport } from './compare/comparison-report.ts';
export type { ComparisonFacts } from './compare/comparison-report.ts';
export { accuracyOver, choose } from './compare/findings.ts';
export { makeLabDecoder, makeLabEncoder } from './compare/lab-models.ts';
export type { LabModel } from './compare/lab-models.ts';
export { htmlReport } from './report/html.ts';
export { markdownReport } from './report/markdown.ts';
