// Random feature tables over all kinds and ops, as sound as the loader would leave them.

import {
  type FeatureDefinition,
  type PipelineDefinition,
  type WindowFeature,
  windowOps,
} from '../../services/core/pipeline-definition.ts'
import {
  customer,
  DAY_MS,
  fieldFeature,
  HOUR_MS,
  pair,
  pipelineOf,
  terminal,
  windowFeature,
} from './pipelines.ts'
import type { Random } from './random.ts'

const windowsMs = [1, 1000, 60_000, HOUR_MS, 6 * HOUR_MS, DAY_MS, 30 * DAY_MS]
const delaysMs = [0, 0, 0, 1000, HOUR_MS, DAY_MS]
const scales = [1, 0.01, 0.1, -3]
const absents = [0, -1, 0.1]
const entitySets = [[customer], [terminal], [customer, terminal], [pair, customer, terminal]]
const calendars = ['weekend', 'hours', 'hour_of_day', 'day_of_week'] as const

export function randomPipeline(random: Random): PipelineDefinition {
  const entities = random.pick(entitySets)
  const features: FeatureDefinition[] = []
  // Every op once for every entity, so that no seed leaves one out, then whatever chance adds.
  for (const { name: entity } of entities) {
    for (const op of windowOps) features.push(randomWindow(random, entity, op, features.length))
    for (let extra = random.integer(0, 4); extra > 0; extra--) {
      features.push(randomWindow(random, entity, random.pick(windowOps), features.length))
    }
  }
  for (let extra = random.integer(1, 3); extra > 0; extra--) {
    features.push(randomField(random, features.length), randomCalendar(random, features.length + 1))
    features.push(randomRatio(random, features))
  }
  return pipelineOf({
    entities,
    features,
    late: {
      allowedMs: random.pick([0, 1000, HOUR_MS]),
      then: random.pick(['score_only', 'score_only', 'divert']),
    },
    store: { buckets: random.pick([1, 2, 4]), retentionMs: 40 * DAY_MS },
  })
}

function randomWindow(
  random: Random,
  entity: string,
  op: WindowFeature['op'],
  index: number,
): WindowFeature {
  const takesNumber = ['sum', 'mean', 'min', 'max', 'stddev', 'last'].includes(op)
  const distinctFields = ['terminalId', 'customerId', 'mcc', 'country', 'amountMinor']
  const isAlwaysBefore = op === 'seconds_since_last' || op === 'last'
  return windowFeature({
    entity,
    op,
    name: `f${index}`,
    of: takesNumber ? 'amountMinor' : op === 'distinct' ? random.pick(distinctFields) : null,
    windowMs: random.pick(windowsMs),
    delayMs: random.pick(delaysMs),
    current: !isAlwaysBefore && random.chance(0.7),
    scale: random.pick(scales),
    absent: random.pick(absents),
  })
}

function randomField(random: Random, index: number): FeatureDefinition {
  const name = `f${index}`
  const absent = random.pick(absents)
  return random.chance(0.5)
    ? fieldFeature({ name, field: 'amountMinor', scale: random.pick(scales), absent })
    : fieldFeature({ name, field: 'mcc', equals: ['5411', '4829'], absent })
}

function randomCalendar(random: Random, index: number): FeatureDefinition {
  return {
    kind: 'calendar',
    name: `f${index}`,
    calendar: random.pick(calendars),
    fromHour: random.integer(0, 23),
    toHour: random.integer(0, 23),
  }
}

function randomRatio(random: Random, earlier: readonly FeatureDefinition[]): FeatureDefinition {
  return {
    kind: 'ratio',
    name: `f${earlier.length}`,
    numerator: random.pick(earlier).name,
    denominator: random.pick(earlier).name,
    absent: random.pick(absents),
  }
}
