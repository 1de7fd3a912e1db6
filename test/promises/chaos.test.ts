// Promises 1 and 2 under faults of every sort: a short campaign on a stack of its own.
//
// Two scorers under live traffic; one is killed with work in the store, another inside its
// transaction; Redis and the broker are killed and come back, the network to Redis is cut, a
// producer repeats itself. `npm run chaos` is the long one. What is asserted is read from the
// topics.

import { beforeAll, describe, expect, it } from 'vitest'
import { campaigns } from '../../load/chaos/campaigns.ts'
import { type ChaosResult, runChaos } from '../../load/chaos/run-chaos.ts'

const SEED = 1
const { faults, secondsPerFault } = campaigns.brief

let result: ChaosResult
const lines: string[] = []

beforeAll(async () => {
  result = await runChaos({
    campaigns: ['brief'],
    seed: SEED,
    seconds: secondsPerFault * faults.length,
    rate: 200,
    pipelineFile: 'pipelines/card-fraud.yaml',
    say: (line) => lines.push(line),
    stop: new AbortController().signal,
  })
})

describe(`exactly once, whatever fails (seed ${SEED})`, () => {
  it('every fault was done, and recovered from', () => {
    const [campaign] = result.campaigns
    expect(campaign!.failures, lines.join('\n')).toEqual([])
    expect(result.faults).toBe(faults.length)
    expect(Object.values(campaign!.faultsByKind)).toEqual(faults.map(() => 1))
    expect(campaign!.ends['was ended by SIGKILL']).toBe(2)
  })

  it('received = scored + rejected + diverted, each message once', () => {
    expect(result.received).toBeGreaterThan(1000)
    expect(result).toMatchObject({ difference: 0 })
    expect(result.campaigns[0]).toMatchObject({ missing: 0, duplicated: 0, alertDifferences: 0 })
  })

  it('ordinals are dense, and every vector is that of an undisturbed run', () => {
    expect(result).toMatchObject({ parityDifferences: 0, ordinalGaps: 0 })
    expect(result.campaigns[0]).toMatchObject({ unverified: 0 })
  })
})
