import type { StepStream } from './run.ts';

/** The steps of another strategy, or of a sample, under its own name. */
export async function* labelled<T>(
  steps: StepStream<T>,
  label: { readonly strategy: string; readonly sample?: number },
): StepStream<T> {
  // By hand, so that leaving this generator leaves that one.
  try {
    let next = await steps.next();
    while (next.done !== true) {
      const draft = next.value;
      const sample = label.sample === undefined ? draft.sample : [label.sample, ...(draft.sample ?? [])];
      yield { ...draft, strategy: draft.strategy ?? label.strategy, ...(sample && { sample }) };
      next = await steps.next();
    }
    return next.value;
  } finally {
    void steps.return(undefined as T).catch(() => undefined);
  }
}
