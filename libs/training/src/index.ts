export {
  adapterDefaults,
  adapterOptimizer,
  dropoutKey,
  newAdapter,
  reparametrizationOf,
  trainingPlan,
} from './adapter-training.ts';
export type { AdapterSettings } from './adapter-training.ts';
export { estimateAdvantages, KlController, sequenceKl, tokenRewards, whiten } from './advantages.ts';
export type { Advantages, Experience } from './advantages.ts';
export { answerBatch, finiteAnswers, generatedAnswers } from './batches/answer-groups.ts';
export type { AnswerGroup, AnswerSource, GradedAnswer } from './batches/answer-groups.ts';
export { finiteChats, generatedChats } from './batches/chat-rows.ts';
export type { ChatSource, TokenizedChat } from './batches/chat-rows.ts';
export { maskedSource, maskedVocabulary } from './batches/masked-windows.ts';
export type { PredictionBatch } from './batches/prediction.ts';
export type { MaskedBatch, MaskedVocabulary, Masking } from './batches/masked-windows.ts';
export { documentSource, streamSource } from './batches/token-windows.ts';
export { EpochOrder } from './batches/epoch-order.ts';
export type { TokenSource } from './batches/token-windows.ts';
export { BitsPerByte, meanPredictionLoss } from './bits-per-byte.ts';
export type { ValidationText } from './bits-per-byte.ts';
export { encoderConfigOf, mlm, mlmDefaults } from './mlm.ts';
export type { MlmInputs, MlmSettings } from './mlm.ts';
export { encoderOptimizer } from './encoder-optimizer.ts';
export { decoderOptimizer } from './decoder-optimizer.ts';
export { forge } from './forge/forge.ts';
export type { ForgeOptions, ForgeProgress, ForgeResult } from './forge/forge.ts';
export type { ChatFigures, ForgeData } from './forge/forge-data.ts';
export { modelConfig } from './forge/model-config.ts';
export {
  defaultPreset,
  defaultPresetForFiles,
  presets,
  resolveMlm,
  resolvePreset,
  resolveStage,
} from './forge/presets.ts';
export type { ForgeSettings, StageDefaults } from './forge/presets.ts';
export { predictionLoss, predictionsAt } from './losses.ts';
export { mlmStage, ppoStage, pretrainStage, rewardStage, sftStage } from './forge/single-stage.ts';
export type { SingleStage, StageResult } from './forge/single-stage.ts';
export { answerGroup, readCorpora, readUserData } from './forge/user-data.ts';
export type { UserFiles } from './forge/user-data.ts';
export { answerAll, evaluateOnWorld, promptOf, worldData } from './forge/world-data.ts';
export { ppo, ppoDefaults } from './ppo.ts';
export type { PpoInputs, PpoSettings, PromptSource, RewardFunction, Sample } from './ppo.ts';
export { pretrain, pretrainDefaults } from './pretrain.ts';
export type { PretrainInputs, PretrainSettings } from './pretrain.ts';
export { pairAccuracy, rewardDefaults, trainRewardModel } from './reward-model.ts';
export type { RewardInputs, RewardModel, RewardSettings } from './reward-model.ts';
export { createReparametrization, foldReparametrization, reparametrizations } from './reparametrization.ts';
export type { Reparametrization, ReparametrizationSettings } from './reparametrization.ts';
export { sft, sftDefaults } from './sft.ts';
export type { SftInputs, SftSettings } from './sft.ts';
export { StageCheckpoint } from './stage-checkpoint.ts';
export type { SnapshotInfo, StageContext, StageName, StageProgress } from './stage.ts';
export { TrainStep } from './train-step.ts';
