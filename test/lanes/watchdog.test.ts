// When a lane is stuck, and when it only waits: on a clock of the test's own.

import { describe, expect, it } from 'vitest'
import { limits } from '../../services/core/limits.ts'
import { Lane } from '../../services/lanes/lane.ts'
import { createWatchdog } from '../../services/lanes/watchdog.ts'

const SECOND = 1000

function openWatchdog() {
  const clock = { ms: 0, monotonicMs: () => clock.ms }
  let isAway = false
  const failures: Error[] = []
  const watchdog = createWatchdog({
    clock,
    isOutsideAway: () => isAway,
    fail: (error) => failures.push(error),
  })
  const lanes = [0, 2].map((laneId) => {
    const address = { laneId, stream: 'transactions', topic: 't', partition: laneId / 2 } as const
    const lane = new Lane(address, 0)
    lane.begin({
      offset: 0,
      endOffset: 0,
      hasCommitted: false,
      watermarkMs: -1,
      brake: { events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 },
    })
    lane.status = 'active'
    return lane
  })
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += SECOND) {
      clock.ms += SECOND
      watchdog.check(lanes)
    }
  }
  return {
    watchdog,
    lanes,
    pass,
    failures,
    away: (away: boolean) => {
      isAway = away
    },
  }
}

const beyond = limits.watchdogMsMax + 2 * SECOND

/** Messages that the lane knows of; they are not admitted, so that it has no head. */
const fill = (lane: Lane, count: number): void =>
  lane.accept({
    messages: Array.from({ length: count }, (_, offset) => ({
      ...{ offset, brokerTimeMs: 0, key: null, value: Buffer.from('x') },
    })),
    nextOffset: count,
    endOffset: count,
  })

describe('watchdog', () => {
  it('lets lanes that have nothing to do rest for as long as they like', () => {
    const { pass, failures } = openWatchdog()
    pass(10 * beyond)
    expect(failures).toEqual([])
  })

  it('ends the process when a batch of a lane never comes back', () => {
    const { lanes, pass, failures } = openWatchdog()
    fill(lanes[0]!, 3)
    lanes[0]!.batchesInFlight = 1
    pass(beyond)
    expect(failures[0]).toMatchObject({ code: 'WEIR_LANE_STUCK' })
    expect(failures[0]!.message).toContain('t/0')
  })

  it('ends the process when a lane fails for ever, whatever the other lanes commit', () => {
    const { watchdog, lanes, pass, failures } = openWatchdog()
    const [failing, busy] = lanes as [Lane, Lane]
    failing.status = 'claiming'
    failing.lastFault = 'WEIR_CLASSIFY_RUN_FAILED'
    for (let i = 0; i < beyond / SECOND; i++) {
      watchdog.committed(busy)
      watchdog.charge(failing)
      pass(SECOND)
    }
    expect(failures[0]?.message).toContain('it failed last with WEIR_CLASSIFY_RUN_FAILED')
  })

  it('is told of a fetcher that delivers nothing of what the topic has', () => {
    const { lanes, pass, failures } = openWatchdog()
    lanes[0]!.accept({ messages: [], nextOffset: 0, endOffset: 10 })
    pass(beyond)
    expect(failures[0]).toMatchObject({ code: 'WEIR_LANE_STUCK' })
  })

  it('stands still while something outside is known to be away', () => {
    const { lanes, pass, failures, away } = openWatchdog()
    lanes[0]!.batchesInFlight = 1
    away(true)
    pass(5 * beyond)
    expect(failures).toEqual([])
    away(false)
    pass(beyond)
    expect(failures.length).toBeGreaterThan(0)
  })

  it('stands still while a claim waits for what is outside, and goes on with the next attempt', () => {
    const { watchdog, lanes, pass, failures } = openWatchdog()
    lanes[0]!.status = 'claiming'
    watchdog.freeze(lanes[0]!)
    pass(5 * beyond)
    expect(failures).toEqual([])
    watchdog.run(lanes[0]!)
    pass(beyond)
    expect(failures.length).toBeGreaterThan(0)
  })

  it('begins anew with each commit', () => {
    const { watchdog, lanes, pass, failures } = openWatchdog()
    lanes[0]!.batchesInFlight = 1
    for (let i = 0; i < 10; i++) {
      pass(limits.watchdogMsMax / 2)
      watchdog.committed(lanes[0]!)
    }
    expect(failures).toEqual([])
  })

  it('excuses a lane that waits for its turn while others commit, and no longer', () => {
    const { watchdog, lanes, pass, failures } = openWatchdog()
    const [waiting, busy] = lanes as [Lane, Lane]
    fill(waiting, 3)
    for (let i = 0; i < 10; i++) {
      pass(limits.watchdogMsMax / 2)
      watchdog.committed(busy)
    }
    watchdog.heldBack()
    pass(limits.watchdogMsMax / 2)
    expect(failures).toEqual([])
    pass(beyond)
    expect(failures[0]?.message).toContain('t/0')
  })
})
