// The judge sees what is wrong: each offence alone, against a reference of four transactions.

import { describe, expect, it } from 'vitest'
import {
  mergeByEventTime,
  type Reference,
} from '../../../../load/bench/verify/reference-vectors.ts'
import { createJudge, type ScoredRecord } from '../../../../load/bench/verify/verify-scored.ts'
import type { Transaction } from '../../../../services/pipeline/records.ts'
import { transactionOf } from '../../../support/batches.ts'
import { benchFeatures, customer, pipelineOf, terminal } from '../../../support/pipelines.ts'

const definition = pipelineOf({
  entities: [customer, terminal],
  features: benchFeatures().slice(0, 2),
})

const transactions: readonly Transaction[] = ['a', 'b', 'c', 'd'].map((transactionId, i) =>
  transactionOf({ transactionId, customerId: `c-${i % 2}`, terminalId: 'p' }),
)
const reference: Reference = {
  transactions,
  rowOf: new Map(transactions.map(({ transactionId }, row) => [transactionId, row])),
  vectors: Float32Array.from([1, 0, 2, 0, 3, 1, 0.1, 1]),
}

/** As a scorer without fault would have written them. */
const faultless = (): ScoredRecord[] =>
  transactions.map(({ transactionId }, row) => ({
    transactionId,
    features: [...reference.vectors.subarray(row * 2, row * 2 + 2)],
    ordinals: [row >> 1, row],
  }))

function judge(records: readonly ScoredRecord[]) {
  const { see, verdict } = createJudge(definition, reference)
  for (const record of records) see(record)
  return verdict()
}

describe('createJudge', () => {
  const clean = { scored: 4, exactShare: 1, missing: 0, duplicated: 0, ordinalGaps: 0 }

  it('createJudge - finds nothing in a faultless output, in any order', () => {
    expect(judge(faultless())).toEqual(clean)
    expect(judge(faultless().reverse())).toEqual(clean)
  })

  it('createJudge - counts a vector that differs in one bit', () => {
    const records = faultless()
    // The double that is nearest to 0.1 is not the float32 that is.
    records[3] = { ...records[3]!, features: [0.1, 1] }
    expect(judge(records)).toEqual({ ...clean, exactShare: 0.75 })
  })

  it('createJudge - counts -0 and a vector that is too short as differences', () => {
    const records = faultless()
    records[0] = { ...records[0]!, features: [1, -0] }
    records[1] = { ...records[1]!, features: [2] }
    expect(judge(records).exactShare).toBe(0.5)
  })

  it('createJudge - counts what is missing, also as a gap where others follow', () => {
    const withoutSecond = faultless().filter(({ transactionId }) => transactionId !== 'b')
    expect(judge(withoutSecond)).toEqual({ ...clean, scored: 3, missing: 1, ordinalGaps: 2 })
  })

  it('createJudge - counts what was scored twice, and its ordinals', () => {
    const records = faultless()
    expect(judge([...records, records[0]!])).toEqual({ ...clean, duplicated: 1, ordinalGaps: 2 })
  })

  it('createJudge - counts a record that nobody sent', () => {
    const stranger = { transactionId: 'x', features: [0, 0], ordinals: [9, 9] }
    expect(judge([...faultless(), stranger])).toEqual({ ...clean, duplicated: 1 })
  })

  it('createJudge - counts an ordinal that two events of an entity share', () => {
    const records = faultless()
    records[3] = { ...records[3]!, ordinals: [1, 2] }
    expect(judge(records)).toEqual({ ...clean, ordinalGaps: 1 })
  })

  it('createJudge - gives no share where nothing was scored', () => {
    expect(judge([])).toEqual({ ...clean, scored: 0, exactShare: 0, missing: 4 })
  })
})

describe('mergeByEventTime', () => {
  const at = (transactionId: string, eventTime: number) =>
    transactionOf({ transactionId, eventTime })
  const idsOf = (lanes: Transaction[][]) =>
    mergeByEventTime(lanes).transactions.map(({ transactionId }) => transactionId)

  it('mergeByEventTime - takes the earliest head, ties by partition', () => {
    const lanes = [[at('a', 2), at('b', 5)], [], [at('c', 1), at('d', 2), at('e', 5)]]
    expect(idsOf(lanes)).toEqual(['c', 'a', 'd', 'b', 'e'])
  })

  it('mergeByEventTime - keeps the order of a partition and tells how late an event came', () => {
    const lanes = [[at('a', 10), at('late', 4), at('b', 11)], [at('c', 9)]]
    expect(idsOf(lanes)).toEqual(['c', 'a', 'late', 'b'])
    expect([...mergeByEventTime(lanes).latenessMs]).toEqual([0, 0, 6, 0])
  })
})
