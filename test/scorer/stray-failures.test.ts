// What nobody handled: told with its cause, drained, exit code 1. A real scorer on the real stack.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { waitFor } from '../support/wait-for.ts'

let environment: ScoringEnvironment

beforeAll(async () => {
  environment = await openScoringEnvironment({ purpose: 'stray', partitions: 1 })
})

afterAll(() => environment?.close())

/** Runs before the scorer: a signal makes something fail that nobody waits for. */
const planted = (failure: string): string =>
  `--import=data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => { ${failure} })`)}`

const error = "new Error('planted', { cause: new TypeError('below') })"

it.each([
  ['a rejection', `Promise.reject(${error})`],
  ['an exception', `setImmediate(() => { throw ${error} })`],
])(
  'stray failures - %s is told with its cause, and the scorer drains and ends with 1',
  async (_, failure) => {
    const scorer = await environment.startScorer({ NODE_OPTIONS: planted(failure) })
    await waitFor(
      async () => (await scorer.health())?.ready === true,
      () => `not ready; see ${scorer.logFile}`,
    )
    scorer.signal('SIGUSR2')
    expect(await scorer.ended).toBe('exited with code 1')
    const lines = readFileSync(scorer.logFile, 'utf8').trim().split('\n')
    const told = lines.filter((line) => line.includes('"signal":"failed"'))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain('Error: planted, caused by TypeError: below')
    const signals = lines.flatMap((line) => /"signal":"(\w+)"/.exec(line)?.[1] ?? [])
    expect(signals.slice(signals.indexOf('failed'))).toEqual(
      expect.arrayContaining(['failed', 'draining', 'lane_released', 'stopped']),
    )
  },
)
