// A whole scorer in memory: the running and its lanes between a memory broker and a log store.
//
// In: a definition, a member of a broker, a store, what may fail. Out: a conductor, and the error
// it could not get over. Codecs are JSON and the model a hash of the vector: both are as real for
// the lanes as Avro and ONNX, and every seed runs in milliseconds.

import { setImmediate as turn } from 'node:timers/promises'
import { type Clock, systemClock, type WaitingClock } from '../../services/core/clock.ts'
import { WeirError } from '../../services/core/errors.ts'
import { hashToShare } from '../../services/core/hash.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { batchEventsFor } from '../../services/lanes/batch-size.ts'
import { type Conductor, createConductor } from '../../services/lanes/conductor.ts'
import type { Classifier } from '../../services/pipeline/classify/classifier.ts'
import { planDecide } from '../../services/pipeline/decide/decide.ts'
import { DecodeFault, type Decoder } from '../../services/pipeline/decode/message-decoder.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import { planSubject } from '../../services/pipeline/entity-key.ts'
import { type Observe, observeNothing } from '../../services/pipeline/observe/signals.ts'
import { createPipeline, type Pipeline } from '../../services/pipeline/pipeline.ts'
import { planPublish } from '../../services/pipeline/publish/compose-records.ts'
import type { OutputEncoders } from '../../services/pipeline/publish/output-records.ts'
import type { Label, Transaction } from '../../services/pipeline/records.ts'
import { planValidate } from '../../services/pipeline/validate/validate.ts'
import type { MemoryMember } from './memory-broker.ts'

export type MemoryScorerOptions = {
  readonly definition: PipelineDefinition
  readonly member: MemoryMember
  readonly store: EntityLogStore
  readonly observe?: Observe
  readonly clock?: Clock & WaitingClock
  readonly classifier?: Classifier
  /** Puts back what the store has lost; by default nothing can. */
  readonly restore?: () => Promise<void>
  /** Answers whether the registry knows an id; throws while it is away. */
  readonly askRegistry?: (id: number) => Promise<boolean>
  /** Stands between the running and the lanes, to look on. */
  readonly wrapPipeline?: (pipeline: Pipeline) => Pipeline
}

export type MemoryScorer = {
  readonly conductor: Conductor
  /** What the conductor could not get over; null while all is well. */
  readonly failure: () => Error | null
}

export function createMemoryScorer(options: MemoryScorerOptions): MemoryScorer {
  const { definition, member, store, observe = observeNothing } = options
  const { clock = systemClock, classifier = hashClassifier } = options
  const plan = planFeatures(definition)
  const pipeline = createPipeline({
    decoders: {
      transactions: jsonDecoder<Transaction>(options),
      labels: jsonDecoder<Label>(options),
    },
    validate: planValidate(definition),
    enrich: { plan, store, late: definition.late },
    classify: {
      classifier,
      reasonsFrom: definition.policy.review,
      subjectOf: planSubject(definition.entities),
    },
    decide: planDecide(definition.policy, plan.entities),
    publish: {
      context: planPublish(definition, plan.labelEntityCount),
      encoders: jsonEncoders,
      publisher: member.transactions,
    },
    clock,
    observe,
  })
  let failure: Error | null = null
  const conductor = createConductor({
    input: member.input,
    transactions: member.transactions,
    store,
    pipeline: options.wrapPipeline?.(pipeline) ?? pipeline,
    align: definition.align,
    batchEventsMax: batchEventsFor(definition),
    clock,
    pause: turn,
    laneIds: async () => [],
    restore: options.restore ?? refuseToRestore,
    observe,
    isOutsideAway: () => false,
    fail: (error) => {
      failure ??= error
    },
  })
  return { conductor, failure: () => failure }
}

const refuseToRestore = async (): Promise<never> => {
  throw new WeirError('WEIR_ENRICH_STATE_LOST', 'in memory')
}

/** `{...}` is a value; `?7{...}` one written with schema id 7; all else is not decodable. */
function jsonDecoder<T>({ askRegistry = async () => true }: MemoryScorerOptions): Decoder<T> {
  const known = new Map<number, boolean>()
  return {
    decode: (bytes) => {
      if (bytes === null) return new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
      const text = bytes.toString()
      const id = Number(/^\?(\d+)/.exec(text)?.[1] ?? 0)
      if (id > 0 && known.get(id) !== true) {
        const missingId = known.has(id) ? null : id
        return new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', `unknown id ${id}`, missingId)
      }
      try {
        return JSON.parse(text.replace(/^\?\d+/, '')) as T
      } catch {
        return new DecodeFault('WEIR_DECODE_NOT_AVRO', 'found no JSON')
      }
    },
    learn: async (id) => {
      known.set(id, await askRegistry(id))
    },
  }
}

const encodeJson = (record: unknown): Buffer => Buffer.from(JSON.stringify(record))

export const jsonEncoders: OutputEncoders = {
  scored: encodeJson,
  alerts: encodeJson,
  driftSamples: encodeJson,
  rejected: encodeJson,
  late: encodeJson,
}

export const decodeJson = <T>(value: Buffer): T => JSON.parse(value.toString()) as T

const memoryModel = { name: 'hash', version: '1', sha256: '0', provider: 'memory' }

/** Scores that depend on the vector alone; a quarter of the rows is flagged. */
export const hashClassifier: Classifier = {
  classify: async ({ count, vectors }) => {
    const width = count === 0 ? 0 : vectors.length / count
    const scores = Float32Array.from({ length: count }, (_, row) =>
      hashToShare(`${vectors.subarray(row * width, (row + 1) * width)}`),
    )
    await turn()
    return {
      vectors,
      champion: memoryModel,
      challengers: [],
      scores,
      challengerScores: [],
      reasons: new Map(),
    }
  },
}

export type FlakyOptions = {
  /** Chance of each call to fail. */
  readonly failure: () => boolean
  /** Whether a failing call has its effect all the same, its answer lost. */
  readonly hasEffect: () => boolean
  /** Turns of the event loop that a call takes. */
  readonly turns: () => number
}

export function flakyStore(store: EntityLogStore, { failure, hasEffect, turns }: FlakyOptions) {
  const away = () => new WeirError('WEIR_ENRICH_STORE_AWAY', 'in memory')
  const wrapped: EntityLogStore = {
    ...store,
    claim: async (laneId) => {
      await turn()
      if (failure()) throw away()
      return store.claim(laneId)
    },
    confirm: async (lane, laneIds) => {
      await turn()
      if (failure()) throw away()
      return store.confirm(lane, laneIds)
    },
    touch: async (ours) => {
      if (failure()) throw away()
      await store.touch(ours)
    },
    advance: async (request) => {
      for (let left = turns(); left > 0; left--) await turn()
      if (!failure()) return store.advance(request)
      if (hasEffect()) await store.advance(request)
      throw away()
    },
    exchangeFrontiers: async (ours) => {
      if (failure()) throw away()
      await store.exchangeFrontiers(ours)
    },
  }
  return wrapped
}

export function flakyClassifier(failure: () => boolean): Classifier {
  return {
    classify: async (request) => {
      const reply = await hashClassifier.classify(request)
      if (failure()) throw new WeirError('WEIR_CLASSIFY_RUN_FAILED', 'in memory')
      return reply
    },
  }
}
