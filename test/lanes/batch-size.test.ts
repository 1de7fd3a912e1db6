// The batch size against the largest scored events that a pipeline can give.

import { describe, expect, it } from 'vitest'
import { createEncoder } from '../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../services/adapters/registry/schema-files.ts'
import { limits } from '../../services/core/limits.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { batchEventsFor } from '../../services/lanes/batch-size.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import { createRandom } from '../support/random.ts'

const base = lanesPipeline(createRandom(1))
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

const pipelineWith = (features: number, entities: number, challengers: number) =>
  ({
    ...base,
    features: times(features, base.features[0]!),
    entities: times(entities, base.entities[0]!),
    model: { ...base.model, challengers: times(challengers, base.model.champion) },
  }) satisfies PipelineDefinition

/** Bytes of a scored event with every text as long and every number as large as it gets. */
function largestEvent(features: number, entities: number, challengers: number): number {
  const id = 'x'.repeat(limits.idLengthMax)
  const large = 2 ** 52
  const name = 'm'.repeat(60)
  const encode = createEncoder<Record<string, unknown>>(readSchema('scored-transaction'), 1)
  return encode({
    transactionId: id,
    eventTime: large,
    keys: Object.fromEntries(
      Array.from({ length: entities }, (_, e) => [
        `${base.entities[0]!.name}${e % 10}`,
        base.entities[0]!.key.map(() => id).join('|'),
      ]),
    ),
    carried: Object.fromEntries(base.output.carry.map((field) => [field, limits.amountMinorMax])),
    score: 1,
    decision: 'block',
    decidedBy: 'policy',
    reasons: times(3, name),
    modelName: name,
    modelVersion: 'v'.repeat(20),
    modelSha256: 'f'.repeat(64),
    modelProvider: 'webgpu+cpu',
    modelRole: 'champion',
    modelMs: 1,
    challengers: times(challengers, { name, version: 'v'.repeat(20), score: 1 }),
    features: times(features, 1),
    featureSet: 'f'.repeat(16),
    ordinals: times(entities, large),
    eventsSeen: times(entities, large),
    labelsSeen: times(entities, large),
    saturated: true,
    sourcePartition: 255,
    sourceOffset: large,
    latenessMs: large,
    brokerTime: large,
    scoredTime: large,
    degraded: true,
    pipeline: name,
    pipelineHash: 'f'.repeat(16),
    controlEpoch: large,
  }).length
}

describe('batchEventsFor', () => {
  it.each([
    [15, 2, 0],
    [38, 3, 1],
    [limits.featuresMax, limits.entitiesMax, limits.challengersMax],
  ])('keeps a lane of %i features, %i entities, %i challengers in a record batch', (...shape) => {
    const events = batchEventsFor(pipelineWith(...shape))
    // Beside the value, a record has its key and a few bytes of its own.
    const recordBytes = largestEvent(...shape) + limits.idLengthMax + 20
    expect(events * recordBytes).toBeLessThanOrEqual(8 * 1024 * 1024)
    expect(events).toBeGreaterThan(limits.batchEventsWorthwhile)
    expect(events).toBeLessThanOrEqual(limits.batchEventsMax)
  })
})
