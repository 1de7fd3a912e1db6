// From a seed to a campaign's faults, in order, with the pauses between them.
//
// In: a campaign, a seed, how many seconds. Out: the faults. Invariants: the same name, seed and
// seconds give the same schedule on any machine; each kind comes once before any comes again.

import { RandomStream } from '../generator/random.ts'
import { type Campaign, type CampaignName, campaigns } from './campaigns.ts'
import { drawMs, type Fault, type FaultMaker } from './fault.ts'

export type ScheduledFault = {
  readonly fault: Fault
  /** Since the campaign's beginning; a fault behind a hurried one is due at once. */
  readonly dueMs: number
  /** From then to the strike. */
  readonly pauseMs: number
  /** The next one does not wait until this one has been recovered from. */
  readonly isHurried: boolean
}

const PAUSE_MS_MIN = 200
const PAUSE_MS_MAX = 1500

export function planFaults(
  name: CampaignName,
  seed: number,
  seconds: number,
): readonly ScheduledFault[] {
  const campaign: Campaign = campaigns[name]
  const random = new RandomStream(seed, 'fault', numberOf(name))
  const count = Math.max(1, Math.floor(seconds / campaign.secondsPerFault))
  let round: FaultMaker[] = []
  let dueMs = 0
  return Array.from({ length: count }, (_, i) => {
    if (round.length === 0) round = shuffle([...campaign.faults], random)
    const fault = round.pop()!(random)
    const pauseMs = drawMs(random, PAUSE_MS_MIN, PAUSE_MS_MAX)
    const isHurried = random.chance(campaign.hurriedShare) && i < count - 1
    const scheduled = { fault, dueMs, pauseMs, isHurried }
    if (!isHurried) dueMs = (i + 1) * campaign.secondsPerFault * 1000
    return scheduled
  })
}

/** From the name alone: a new campaign moves no other one's faults. */
const numberOf = (name: string): number =>
  [...name].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) | 0, 0)

/** In place, by Fisher and Yates. */
function shuffle<T>(items: T[], random: RandomStream): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(0, i)
    ;[items[i], items[j]] = [items[j]!, items[i]!]
  }
  return items
}
