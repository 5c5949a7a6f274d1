import {
  loadSpecialTokenIds,
  type ModelDescription,
  type ModelRegistry,
  type ModelVersion,
  saveAdapter,
  type SavedAdapter,
  type SavedModel,
  saveGenerationConfig,
  saveModel,
  type SpecialTokenIds,
} from '@crucible/checkpoint';
import { saveTokenizer, type Tokenizer } from '@crucible/tokenizer';
import { answerEnd } from '../chat-format.ts';
import {
  type Computing,
  computingOf,
  type SnapshotInfo,
  type StageContext,
  type StageName,
  type StageProgress,
} from '../stage.ts';
import { StageCheckpoint } from '../stage-checkpoint.ts';

/** Who runs stages, and where their models go. */
export interface StageHost extends Computing {
  readonly registry: ModelRegistry;
  readonly signal?: AbortSignal;
  readonly report?: (progress: StageProgress) => void;
  readonly observe?: (progress: StageProgress) => void;
  /** Called for every version that has been published. */
  readonly published?: (model: ModelVersion) => Promise<void>;
}

/** An adapter, the model that it belongs to, and the name of that. */
interface AdapterToSave {
  readonly kind: 'adapter';
  readonly adapter: SavedAdapter;
  readonly model: ModelDescription;
  readonly base: string;
}

export interface PublishedStage<Weights> {
  readonly stage: StageName;
  /** Name of the model in the registry. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  /** The model that the stage began from. */
  readonly base: ModelVersion | undefined;
  /** Where the stage's checkpoints go. */
  readonly folder: string;
  readonly modelOf: (weights: Weights) => SavedModel | AdapterToSave;
  /** Called when the finished model is in the registry, before anybody is told. */
  readonly finished?: (version: ModelVersion, info: SnapshotInfo) => void;
}

/** A context that publishes a stage's snapshots in the registry and keeps its checkpoints until it is done. */
export function createStageContext<Weights>(host: StageHost, stage: PublishedStage<Weights>): StageContext<Weights> {
  const checkpoint = new StageCheckpoint(stage.folder);
  return {
    ...computingOf(host),
    ...(host.signal && { signal: host.signal }),
    ...(host.report && { report: host.report }),
    ...(host.observe && { observe: host.observe }),
    checkpoint,
    publish: async (weights, info) => {
      const model = stage.modelOf(weights);
      const version = await host.registry.publish(
        {
          name: stage.name,
          stage: stage.stage,
          kind: model.kind,
          step: info.step,
          finished: info.finished,
          metrics: Object.fromEntries(Object.entries(info.metrics).filter(([, value]) => Number.isFinite(value))),
          ...(stage.base && { parent: referenceOf(stage.base) }),
          ...(stage.base?.origin !== undefined && { origin: stage.base.origin }),
        },
        (folder) => {
          const tokens =
            model.kind === 'masked-language'
              ? { pad: stage.tokenizer.padId ?? 0 }
              : specialTokenIds(stage.tokenizer, stage.base);
          if (model.kind === 'adapter') {
            saveAdapter(folder, model.adapter, model.model, model.base);
            saveGenerationConfig(folder, tokens);
          } else {
            saveModel(folder, model, tokens);
          }
          saveTokenizer(stage.tokenizer, folder);
        },
      );
      if (info.finished) {
        stage.finished?.(version, info);
        checkpoint.clear();
      }
      await host.published?.(version);
    },
  };
}

export function referenceOf({ name, version }: ModelVersion): string {
  return `${name}@${version}`;
}

/** What ends an answer comes first; then what ended one of the model before, or where there was none, a text. */
function specialTokenIds(tokenizer: Tokenizer, base: ModelVersion | undefined): SpecialTokenIds {
  const end = answerEnd(tokenizer);
  const bos = tokenizer.bosId ?? end;
  const others = base ? (loadSpecialTokenIds(base.folder).eos ?? []) : [bos];
  return { bos, eos: [...new Set([end, ...others])], pad: tokenizer.padId ?? 0 };
}
