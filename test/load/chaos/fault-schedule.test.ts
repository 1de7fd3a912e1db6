// Which faults a seed gives: the same ones for ever, each kind in its turn, as many as fit.

import { describe, expect, it } from 'vitest'
import {
  type CampaignName,
  campaignNames,
  campaigns,
  usualCampaigns,
} from '../../../load/chaos/campaigns.ts'
import { planFaults } from '../../../load/chaos/fault-schedule.ts'

const wordsOf = (name: CampaignName, seed: number, seconds = 300) =>
  planFaults(name, seed, seconds).map(
    ({ fault, dueMs, pauseMs, isHurried }) => `${fault.words} ${dueMs} ${pauseMs} ${isHurried}`,
  )

describe('fault schedule', () => {
  it.each(campaignNames)('%s - the same seed gives the same faults, another one others', (name) => {
    expect(wordsOf(name, 7)).toEqual(wordsOf(name, 7))
    // Its one fault has nothing to draw but its pauses, which differ as well.
    expect(wordsOf(name, 7)).not.toEqual(wordsOf(name, 8))
  })

  it.each(campaignNames)('%s - a longer campaign begins like a shorter one', (name) => {
    const short = wordsOf(name, 7, 100)
    const long = wordsOf(name, 7, 300)
    // The last fault of a campaign is never hurried: it has to be recovered from.
    expect(long.slice(0, short.length - 1)).toEqual(short.slice(0, -1))
  })

  it('kills - each fail point comes once before any comes again', () => {
    const { faults, secondsPerFault } = campaigns.kills
    const round = planFaults('kills', 3, secondsPerFault * faults.length * 2)
    const kinds = round.map(({ fault }) => fault.kind)
    expect(kinds).toHaveLength(2 * faults.length)
    expect(new Set(kinds.slice(0, faults.length)).size).toBe(faults.length)
    expect(new Set(kinds.slice(faults.length)).size).toBe(faults.length)
  })

  it('all usual campaigns - half an hour holds at least 200 faults', () => {
    const share = 1800 / usualCampaigns.length
    const counts = usualCampaigns.map((name) => planFaults(name, 1, share).length)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(200)
    expect(Math.min(...counts)).toBeGreaterThan(0)
  })

  it('faults keep their pace, but those behind a hurried one are due with it', () => {
    const schedule = planFaults('mixed', 5, 400)
    const paceMs = 1000 * campaigns.mixed.secondsPerFault
    expect(schedule.some(({ isHurried }) => isHurried)).toBe(true)
    for (const [i, { dueMs }] of schedule.entries()) {
      const before = schedule[i - 1]
      expect(dueMs).toBe(before?.isHurried ? before.dueMs : i * paceMs)
    }
  })

  it('the last fault of a campaign is waited for', () => {
    for (let seed = 0; seed < 50; seed++) {
      expect(planFaults('mixed', seed, 100).at(-1)!.isHurried).toBe(false)
    }
  })
})
