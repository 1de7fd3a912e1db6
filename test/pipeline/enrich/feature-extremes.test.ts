// What features can be at their ends: derived from the pipeline file, so that a gate asks for
// nothing impossible.

import { expect, test } from 'vitest'
import { loadPipelineFile } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { limits } from '../../../services/core/limits.ts'
import type { FeatureDefinition } from '../../../services/core/pipeline-definition.ts'
import { findExtremes } from '../../../services/pipeline/enrich/feature-extremes.ts'

const dayMs = 86_400_000
const amount: FeatureDefinition = {
  kind: 'field',
  name: 'amount',
  field: 'amountMinor',
  scale: 0.01,
  equals: null,
  absent: 0,
}
const windowOf = (
  op: 'count' | 'mean' | 'sum' | 'fraud_rate' | 'seconds_since_last',
  changed: { readonly tailMs?: number; readonly absent?: number; readonly windowMs?: number } = {},
): FeatureDefinition => ({
  kind: 'window',
  name: op,
  entity: 'customer',
  op,
  of: op === 'mean' || op === 'sum' ? 'amountMinor' : null,
  windowMs: 400 * dayMs,
  delayMs: 0,
  tailMs: 0,
  current: true,
  scale: 1,
  absent: 0,
  ...changed,
})
const valuesOf = (...features: readonly FeatureDefinition[]) =>
  findExtremes({ features }).at(-1)!.values

test('extremes - reach from 0 to the ceiling that validation or a window sets, absent included', () => {
  expect(valuesOf(amount)).toEqual([0, Math.fround(0.01), limits.amountMinorMax / 100])
  expect(valuesOf(windowOf('count'))).toEqual([0, 1, limits.entityRecordsMax])
  expect(valuesOf(windowOf('count', { tailMs: dayMs })).at(-1)).toBe(401_000_000)
  expect(valuesOf(windowOf('mean', { absent: -1 }))[0]).toBe(-1)
  expect(valuesOf(windowOf('fraud_rate')).at(-1)).toBe(1)
  const since = valuesOf(windowOf('seconds_since_last', { absent: -1 }))
  expect([since[0], since.at(-1)]).toEqual([-1, 400 * 86_400])
  const calendar = { kind: 'calendar', name: 'hour', fromHour: 0, toHour: 0 } as const
  expect(valuesOf({ ...calendar, calendar: 'hour_of_day' })).toEqual([0, 23])
  expect(valuesOf({ ...amount, field: 'channel', equals: ['online'] })).toEqual([0, 1])
})

test('extremes - a ratio reaches as far as its two features allow, and never divides by 0', () => {
  const ratio = { kind: 'ratio', name: 'r', numerator: 'amount', denominator: 'count' } as const
  const values = valuesOf(amount, windowOf('count'), { ...ratio, absent: -1 })
  expect(values).toEqual([-1, 0, 1e9])
  const nothing = valuesOf(amount, { ...amount, name: 'count', scale: 0 }, { ...ratio, absent: -1 })
  expect(nothing).toEqual([-1])
})

test.each(['pipelines/card-fraud.yaml', 'load/bench/pipelines/pipeline.yaml'])(
  'extremes - of %s are finite float32 numbers, at least two of each feature',
  (file) => {
    const definition = loadPipelineFile(file)
    const extremes = findExtremes(definition)
    expect(extremes.map(({ name }) => name)).toEqual(definition.features.map(({ name }) => name))
    for (const { values } of extremes) {
      expect(values.length).toBeGreaterThan(1)
      for (const value of values) expect(Math.fround(value)).toBe(value)
      expect(values.every(Number.isFinite)).toBe(true)
    }
  },
)
