// The one loop of attempts, with pauses that are noted instead of waited for.

import { describe, expect, it } from 'vitest'
import { type Failure, retrying } from '../../services/core/retrying.ts'

const trouble = new Error('away')

function open(failures: number, error: Error = trouble) {
  const stop = new AbortController()
  const told: Failure[] = []
  const pauses: number[] = []
  let runs = 0
  const started = () =>
    retrying(
      async (attempt) => {
        runs++
        if (attempt <= failures) throw error
        return attempt
      },
      {
        isPassing: (found) => found === trouble,
        onFailure: (failure) => {
          told.push(failure)
          if (pauses.length === 99) stop.abort('enough')
        },
        pauseMsMin: 500,
        pauseMsMax: 5000,
        pause: async (ms) => {
          pauses.push(ms)
        },
        signal: stop.signal,
      },
    )
  return { started, told, pauses, stop, runs: () => runs }
}

describe('retrying', () => {
  it('goes on until it succeeds, with pauses that double up to their ceiling', async () => {
    const { started, told, pauses } = open(6)
    expect(await started()).toBe(7)
    expect(pauses).toEqual([500, 1000, 2000, 4000, 5000, 5000])
    expect(told.map(({ attempt, nextTryMs }) => [attempt, nextTryMs])).toEqual(
      pauses.map((ms, i) => [i + 1, ms]),
    )
  })

  it('throws at once what does not pass by itself', async () => {
    const refusal = new Error('no')
    const { started, told, runs } = open(1, refusal)
    await expect(started()).rejects.toBe(refusal)
    expect([told.length, runs()]).toEqual([0, 1])
  })

  it('has no bound of its own, and ends when it is not wanted any more', async () => {
    const { started, pauses } = open(Number.POSITIVE_INFINITY)
    await expect(started()).rejects.toBe('enough')
    expect(pauses).toHaveLength(100)
    expect(Math.max(...pauses)).toBe(5000)
  })

  it('does not begin when it is not wanted from the start', async () => {
    const { started, stop, runs } = open(0)
    stop.abort('never')
    await expect(started()).rejects.toBe('never')
    expect(runs()).toBe(0)
  })
})
