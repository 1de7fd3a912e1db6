// The names of a replay that several processes share: all follow from the name of the run.
//
//   group, transactional ids   weir-replay-<run>...
//   topics                     weir-replay-<run>.<the live topic's name>
//   keys in Redis              weir-replay/named/<run>...
//
// In: a run's name, a pipeline. Out: the same pipeline, which reads the live inputs and writes to
// topics of the run. Refused with WEIR_SETTINGS_INVALID: a name that is none. Invariants: no
// output, group or key of a run is one of a live pipeline: WEIR_KEY_PREFIX takes no slash, and
// outputs get a prefix; the hash stays, because topics are no part of it.

import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition, TopicNames } from '../core/pipeline-definition.ts'

export type IsolatedRun = {
  readonly name: string
  readonly groupId: string
  readonly keyPrefix: string
  /** The pipeline with the run's own outputs. */
  readonly definition: PipelineDefinition
  /** Where the run writes. */
  readonly outputs: readonly string[]
}

/** What all processes of a run agree on. */
export type RunTerms = {
  /**
   * Drawn when the run began, so that a name that is used again names another run; absent = before
   * that.
   */
  readonly id?: string
  readonly pipelineHash: string
  /** Of the champion and the challengers. */
  readonly models: readonly {
    readonly name: string
    readonly version: string
    readonly sha256: string
  }[]
  /** Of all partitions of the inputs; the labels' first. */
  readonly ranges: readonly {
    readonly stream: 'transactions' | 'labels'
    readonly topic: string
    readonly partition: number
    readonly from: number
    /** Behind the last message. */
    readonly to: number
  }[]
}

/** Longer than any run: a log that was not touched for so long is forgotten. */
const RUN_KEPT_MS = 30 * 86_400_000

const PATIENCE_MS = 10_000
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

export function isolateRun(name: string, definition: PipelineDefinition): IsolatedRun {
  if (!NAME.test(name)) {
    const expected = 'expected up to 40 small letters, digits and dashes, such as january-3'
    throw new WeirError('WEIR_SETTINGS_INVALID', `weir replay: found the run ${name}, ${expected}.`)
  }
  const { topics, store, align } = definition
  const groupId = `weir-replay-${name}`
  const own = (topic: string): string => `${groupId}.${topic}`
  const outputs = {
    scored: own(topics.scored),
    alerts: own(topics.alerts),
    driftSamples: own(topics.driftSamples),
    rejected: own(topics.rejected),
    late: own(topics.late),
  } satisfies Partial<TopicNames>
  return {
    name,
    groupId,
    keyPrefix: `weir-replay/named/${name}`,
    definition: {
      ...definition,
      topics: { ...topics, ...outputs },
      // Nobody waits for a score: a lane waits for the others until their owners count as gone.
      align: { ...align, waitMsMax: Math.max(PATIENCE_MS, align.waitMsMax) },
      store: { ...store, retentionMs: Math.max(RUN_KEPT_MS, store.retentionMs) },
    },
    outputs: Object.values(outputs),
  }
}

/** Processes of one run score alike, or not at all. */
export function refuseOtherTerms(
  name: string,
  agreed: RunTerms,
  ours: Pick<RunTerms, 'pipelineHash' | 'models'>,
): void {
  const refuse = (what: string, found: string, expected: string): void => {
    if (found === expected) return
    const detail = `weir replay: run ${name}: found ${what} ${found}, expected ${expected}, with which it began.`
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const nameModels = (models: RunTerms['models']): string =>
    models.map(({ name: model, version, sha256 }) => `${model} ${version} ${sha256}`).join(', ')
  refuse('the pipeline', ours.pipelineHash, agreed.pipelineHash)
  refuse('the models', nameModels(ours.models), nameModels(agreed.models))
}
