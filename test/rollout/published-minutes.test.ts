// Minutes that are in the topic are left out: of this trial, and of no other.

import { describe, expect, it } from 'vitest'
import { composeComparison } from '../../services/rollout/comparison-record.ts'
import { createPublishedMinutes } from '../../services/rollout/published-minutes.ts'
import type { Trial } from '../../services/rollout/trial.ts'
import { createPairedCounts } from '../../services/statistics/paired-counts.ts'

const trialOf = (sinceEpoch: number, version = '2', stepEpoch = sinceEpoch): Trial => ({
  champion: { name: 'test', version: '1' },
  challenger: { name: 'test', version },
  share: 0,
  sinceEpoch,
  sinceMs: 0,
  stepEpoch,
  stepMs: 0,
  isRolledBack: false,
})
const minutesOf = (trial: Trial, ...minutes: number[]) =>
  minutes.map((minute) =>
    composeComparison(
      'card-fraud',
      trial,
      { startMs: minute * 60_000, counts: createPairedCounts() },
      { action: 'wait', reasons: [] },
    ),
  )
const startsOf = (records: ReturnType<typeof minutesOf>) =>
  records.map(({ windowStart }) => windowStart / 60_000)

describe('published minutes', () => {
  it('leaves out what the trial has published, whichever step it was in then', () => {
    const published = createPublishedMinutes('card-fraud')
    for (const record of minutesOf(trialOf(3), 1, 2)) published.note(record)
    for (const record of minutesOf(trialOf(3, '2', 4), 3)) published.note(record)
    const wanted = minutesOf(trialOf(3, '2', 5), 2, 3, 4)
    expect(startsOf(published.leaveOut(wanted, trialOf(3)) as typeof wanted)).toEqual([4])
  })

  it('knows another challenger, an earlier trial of the same two, and another pipeline apart', () => {
    const published = createPublishedMinutes('card-fraud')
    for (const record of minutesOf(trialOf(3), 7)) published.note(record)
    for (const record of minutesOf(trialOf(9), 7)) published.note({ ...record, pipeline: 'other' })
    const other = minutesOf(trialOf(3, '5'), 7)
    expect(published.leaveOut(other, trialOf(3, '5'))).toEqual(other)
    const later = minutesOf(trialOf(8), 7)
    expect(published.leaveOut(later, trialOf(8))).toEqual(later)
  })
})
