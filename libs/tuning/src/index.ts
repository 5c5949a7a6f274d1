export { findContamination } from './contamination.ts';
export type { Contamination } from './contamination.ts';
export type { Method, TuneContext, TunedModel, TuneProgress, TuneSettings } from './method.ts';
export { accuracyOf } from './method.ts';
export { classificationFigures, differenceOverTexts, meanWithInterval, shareWithInterval } from './metrics.ts';
export type { ClassificationFigures, Difference, Share } from './metrics.ts';
export { generateTemplates } from './generate-templates.ts';
export type { TemplateGeneration, WrittenTemplate } from './generate-templates.ts';
export { instruct, instructDefaults, withInstructionFormat, zeroShot } from './instructions/instruct.ts';
export type { InstructSettings, ZeroShotOutcome } from './instructions/instruct.ts';
export { labelledInstructions, rowInstructions } from './instructions/instruction-task.ts';
export type { Instruction, InstructionTask, LabelledInstructions } from './instructions/instruction-task.ts';
export { parseInstructionTemplate } from './instructions/instruction-template.ts';
export type { InstructionTemplate } from './instructions/instruction-template.ts';
export { createMixture, holdOut, mixtureShares } from './instructions/mixture.ts';
export { clusterOfTask, worldInstructions } from './instructions/world-instructions.ts';
export type { WorldInstructionSizes } from './instructions/world-instructions.ts';
export type { CausalModel, CausalPrompt } from './methods/causal-reader.ts';
export { decoderMethod, inContextMethod } from './methods/decoder.ts';
export type { DecoderMethodKind, DecoderOptions, InContextOptions } from './methods/decoder.ts';
export { instructionMethod, instructionTemplate } from './methods/instruction.ts';
export type { InstructionOptions } from './methods/instruction.ts';
export { headMethod } from './methods/head.ts';
export type { HeadScope } from './methods/head.ts';
export { trainMixedPrompts } from './methods/mixed-prompts.ts';
export type { MixedInput, MixedPrompts, MixedTask } from './methods/mixed-prompts.ts';
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
export { CellRunner, readComparedTask } from './compare/cell-runner.ts';
export type {
  Cell,
  CellResult,
  ComparedModel,
  ComparedTask,
  Comparison,
  ComparisonSettings,
  ModelRole,
} from './compare/comparison.ts';
export { checkedSettings, comparedMethods, comparisonPresets, parseComparisonPlan } from './compare/plan.ts';
export type { ComparisonPlan, ComparisonPreset } from './compare/plan.ts';
export { comparisonReport } from './compare/comparison-report.ts';
export type { ComparisonFacts } from './compare/comparison-report.ts';
export { accuracyOver, choose } from './compare/findings.ts';
export { instructLab, labSizes, makeLabDecoder, makeLabEncoder } from './compare/lab-models.ts';
export type { LabModel } from './compare/lab-models.ts';
export { htmlReport } from './report/html.ts';
export { markdownReport } from './report/markdown.ts';
