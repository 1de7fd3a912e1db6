// Rows that come in any order, each put at its ordinal.

import { describe, expect, it } from 'vitest'
import { SOURCE } from '../../../services/pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import {
  countMissing,
  createLogDraft,
  dropOldHoles,
  endOf,
  type HistoryReach,
  type LogDraft,
  layFillers,
  placeRow,
  type Row,
} from '../../../services/restore/lay/log-draft.ts'
import { customer, HOUR_MS, pipelineOf, windowFeature } from '../../support/pipelines.ts'

const plan = planFeatures(
  pipelineOf({
    entities: [customer],
    features: [windowFeature({ entity: 'customer', op: 'count', windowMs: HOUR_MS })],
  }),
)

const whole: HistoryReach = { isWhole: true, raggedUntilMs: 0, silenceMs: 10 * HOUR_MS }
const ragged: HistoryReach = { isWhole: false, raggedUntilMs: 5000, silenceMs: 10 * HOUR_MS }

const draftOf = (reach: HistoryReach, base = 0): LogDraft =>
  createLogDraft({ kind: 0, key: 'c', of: plan.kinds[0]!, stored: null, reach, base })

const rowOf = (source: number, timeMs = source * 1000): Row => ({
  timeMs,
  source,
  values: new Float64Array(0),
})

/** Sources in the log's order; a row's source is 100 above the ordinal that it was given. */
const sourcesOf = ({ log }: LogDraft): number[] =>
  Array.from({ length: log.count }, (_, i) => log.rows[i * log.stride + SOURCE]! - 100)

const place = (draft: LogDraft, ...ordinals: number[]): boolean[] =>
  ordinals.map((ordinal) => placeRow(draft, ordinal, rowOf(ordinal + 100)))

describe('log draft', () => {
  it('log draft - puts rows at their ordinals, in whichever order they come', () => {
    const draft = draftOf(whole)
    expect(place(draft, 3, 1, 0, 4, 2)).toEqual([true, true, true, true, true])
    expect(sourcesOf(draft)).toEqual([0, 1, 2, 3, 4])
    expect(countMissing(draft)).toBe(0)
  })

  it('log draft - refuses an ordinal that has a row', () => {
    const draft = draftOf(whole)
    expect(place(draft, 0, 1, 3, 1, 3)).toEqual([true, true, true, false, false])
  })

  it('log draft - counts its holes and takes one filler for each', () => {
    const draft = draftOf(whole)
    place(draft, 0, 2, 5)
    expect(countMissing(draft)).toBe(3)
    for (const source of [101, 103, 104]) {
      expect(layFillers(draft)).toBe(false)
      draft.fillers.push({ ...rowOf(source), kind: 0, key: 'c', isLaid: false })
    }
    const fillers = [...draft.fillers]
    expect(layFillers(draft)).toBe(true)
    expect(sourcesOf(draft)).toEqual([0, 1, 2, 3, 4, 5])
    expect(fillers.every(({ isLaid }) => isLaid)).toBe(true)
  })

  it('log draft - begins lower when a lower ordinal turns up at the ragged start', () => {
    const draft = draftOf(ragged, 7)
    place(draft, 7, 9, 5, 8, 6)
    expect([draft.log.base, sourcesOf(draft)]).toEqual([5, [5, 6, 7, 8, 9]])
    expect(place(draft, 4)).toEqual([true])
    expect(draft.log.base).toBe(4)
  })

  it('log draft - drops what lies before a hole at the ragged start, and no other hole', () => {
    const draft = draftOf(ragged, 1)
    for (const [ordinal, timeMs] of [
      [1, 1000],
      [3, 4000],
      [4, 6000],
      [6, 7000],
    ] as const) {
      placeRow(draft, ordinal, rowOf(ordinal + 100, timeMs))
    }
    dropOldHoles(draft)
    expect([draft.log.base, endOf(draft), countMissing(draft)]).toEqual([3, 5, 1])
    const known = draftOf(whole)
    place(known, 1)
    dropOldHoles(known)
    expect(countMissing(known)).toBe(1)
  })

  it('log draft - begins at 0 again after a silence in which the key expired', () => {
    const draft = draftOf(whole)
    place(draft, 0, 1, 2)
    const longAfter = 103_000 + 10 * HOUR_MS
    expect(placeRow(draft, 0, rowOf(200, longAfter))).toBe(true)
    expect([draft.log.base, draft.log.count, countMissing(draft)]).toEqual([0, 1, 0])
  })
})
