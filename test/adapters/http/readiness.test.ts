// Readiness: each reason comes and goes with the signals that cause it, by a clock of its own.

import { describe, expect, it } from 'vitest'
import {
  createReadiness,
  type RequiredSystem,
  reasonTable,
} from '../../../services/adapters/http/readiness.ts'

import { limits } from '../../../services/core/limits.ts'
import { applySignal, openState } from '../../../services/pipeline/observe/process-state.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { oneOfEach } from '../prometheus/story.ts'

const watchdogMsMax = limits.watchdogMsMax

function open(requiredSystems: readonly RequiredSystem[] = ['kafka', 'redis']) {
  const clock = { atMs: 1_000_000 }
  let state = openState(clock.atMs)
  const readState = () => state
  const options = { clock: { nowMs: () => clock.atMs }, readState, requiredSystems }
  const readiness = createReadiness(options)
  const observe = (signal: Signal): void => {
    state = applySignal(state, signal, clock.atMs)
  }
  const connect = (system: RequiredSystem, state: 'up' | 'down' = 'up') =>
    observe({ kind: 'connection', system, state, detail: 'ECONNREFUSED' })
  return {
    ...readiness,
    observe,
    connect,
    pass: (ms: number) => {
      clock.atMs += ms
    },
    notReady: () => readiness.reasonsNotReady().map(({ code }) => code),
    dead: (stallMs = 0) => readiness.reasonsDead(stallMs).map(({ code }) => code),
  }
}

/** A process that is ready: everything up, a champion, one lane. */
function openReady(requiredSystems: readonly RequiredSystem[] = ['kafka', 'redis']) {
  const process = open(requiredSystems)
  for (const system of requiredSystems) process.connect(system)
  process.observe(oneOfEach.model_loaded)
  process.observe(oneOfEach.rebalanced)
  process.observe(oneOfEach.lane_claimed)
  expect(process.notReady()).toEqual([])
  return process
}

describe('readiness', () => {
  it('names everything that is missing at the start, and is alive', () => {
    const { notReady, dead } = open(['kafka', 'redis', 'registry'])
    const missing = ['kafka_down', 'redis_down', 'model_not_loaded', 'no_lanes']
    expect(notReady()).toEqual(missing)
    expect(dead()).toEqual([])
  })

  it('becomes ready when the last reason is gone', () => {
    const { observe, connect, notReady } = open()
    connect('kafka')
    connect('redis')
    expect(notReady()).toEqual(['model_not_loaded', 'no_lanes'])
    observe({ ...oneOfEach.model_loaded, role: 'challenger', version: '2' })
    expect(notReady()).toEqual(['model_not_loaded', 'no_lanes'])
    observe(oneOfEach.model_loaded)
    expect(notReady()).toEqual(['no_lanes'])
    observe(oneOfEach.lane_claimed)
    expect(notReady()).toEqual([])
  })

  it('waits for the claims of a rebalance, but lets a spare process stand by', () => {
    const { observe, notReady } = openReady()
    observe(oneOfEach.lane_released)
    observe({ kind: 'rebalanced', lanes: 2 })
    expect(notReady()).toEqual(['no_lanes'])
    observe({ kind: 'rebalanced', lanes: 0 })
    expect(notReady()).toEqual([])
  })

  it.each(['kafka', 'redis'] as const)('says so while %s is away, and lives on', (system) => {
    const { connect, notReady, dead, pass, reasonsNotReady } = openReady()
    connect(system, 'down')
    pass(90_000)
    expect(notReady()).toEqual([`${system}_down`])
    expect(reasonsNotReady()[0]!.detail).toBe('down for 90 s: ECONNREFUSED')
    expect(dead()).toEqual([])
    connect(system)
    expect(notReady()).toEqual([])
  })

  it('minds the registry only while a schema is missing', () => {
    const { observe, connect, notReady } = openReady(['kafka', 'redis', 'registry'])
    connect('registry', 'down')
    expect(notReady()).toEqual([])
    observe({ ...oneOfEach.retried, operation: 'learn_schema', code: 'WEIR_REGISTRY_AWAY' })
    expect(notReady()).toEqual(['registry_down'])
    // Lanes that know their schemas go on, and prove nothing.
    observe(oneOfEach.batch_done)
    expect(notReady()).toEqual(['registry_down'])
    connect('registry')
    expect(notReady()).toEqual([])
    connect('registry', 'down')
    expect(notReady()).toEqual([])
  })

  it('minds the registry no longer once the lane that asked is somebody elses', () => {
    const { observe, connect, notReady } = openReady(['kafka', 'redis', 'registry'])
    connect('registry', 'down')
    observe({ ...oneOfEach.retried, operation: 'learn_schema', code: 'WEIR_REGISTRY_AWAY' })
    observe(oneOfEach.rebalanced)
    expect(notReady()).toEqual([])
  })

  it('minds the model registry only while there is no champion', () => {
    const { observe, connect, notReady } = open(['mlflow'])
    connect('mlflow', 'down')
    expect(notReady()).toContain('mlflow_down')
    observe(oneOfEach.model_loaded)
    expect(notReady()).not.toContain('mlflow_down')
  })

  it('names what the start waits for, until it is there or the scorer has started', () => {
    const { observe, pass, notReady, dead, reasonsNotReady } = openReady([
      'kafka',
      'redis',
      'registry',
    ])
    observe({ ...oneOfEach.waiting, attempt: 1, system: 'redis' })
    observe({ ...oneOfEach.waiting, attempt: 1 })
    expect(notReady()).toEqual(['redis_down', 'registry_down'])
    pass(90_000)
    observe({ ...oneOfEach.waiting, attempt: 2 })
    expect(notReady()).toEqual(['registry_down'])
    expect(reasonsNotReady()[0]!.detail).toBe(
      'the start waits for http://127.0.0.1:1 for 90 s, attempt 2: ECONNREFUSED',
    )
    expect(dead()).toEqual([])
    observe(oneOfEach.started)
    expect(notReady()).toEqual([])
  })

  it('ignores a system that this entry point does not need', () => {
    const { connect, notReady } = openReady(['kafka'])
    connect('redis', 'down')
    expect(notReady()).toEqual([])
  })

  it('calls a lane stuck when work waits and nothing is committed for too long', () => {
    const { observe, pass, notReady, dead, reasonsNotReady } = openReady()
    observe(oneOfEach.lag)
    pass(watchdogMsMax)
    expect(notReady()).toEqual([])
    pass(1)
    expect(notReady()).toEqual(['lane_stuck'])
    expect(dead()).toEqual(['lane_stuck'])
    expect(reasonsNotReady()[0]!.detail).toBe('transactions 3: 17 events wait, no commit for 60 s')
    observe(oneOfEach.committed)
    expect(notReady()).toEqual([])
  })

  it('does not call a lane stuck that has nothing to do', () => {
    const { observe, pass, notReady } = openReady()
    pass(10 * watchdogMsMax)
    expect(notReady()).toEqual([])
    observe(oneOfEach.lag)
    pass(watchdogMsMax)
    expect(notReady()).toEqual([])
  })

  it('does not restart the watch when lag is reported again', () => {
    const { observe, pass, notReady } = openReady()
    observe(oneOfEach.lag)
    pass(watchdogMsMax)
    observe({ ...oneOfEach.lag, events: 18 })
    pass(1)
    expect(notReady()).toEqual(['lane_stuck'])
  })

  it('calls a lane stuck that is claimed again and again', () => {
    const { observe, pass, notReady } = openReady()
    observe(oneOfEach.lag)
    pass(watchdogMsMax)
    observe(oneOfEach.lane_claimed)
    pass(1)
    expect(notReady()).toEqual(['lane_stuck'])
  })

  it('gives lanes time after an outage before it calls them stuck', () => {
    const { observe, connect, pass, notReady, dead } = openReady()
    observe(oneOfEach.lag)
    connect('redis', 'down')
    pass(5 * watchdogMsMax)
    expect(dead()).toEqual([])
    connect('redis')
    expect(notReady()).toEqual([])
    pass(watchdogMsMax + 1)
    expect(dead()).toEqual(['lane_stuck'])
  })

  it('forgets a lane that was given back', () => {
    const { observe, pass, dead } = openReady()
    observe(oneOfEach.lag)
    observe(oneOfEach.lane_released)
    observe(oneOfEach.lag)
    pass(watchdogMsMax + 1)
    expect(dead()).toEqual([])
  })

  it('is not ready while draining, and not dead of it', () => {
    const { observe, pass, notReady, dead } = openReady()
    observe(oneOfEach.lag)
    observe(oneOfEach.draining)
    pass(watchdogMsMax + 1)
    expect(notReady()).toEqual(['draining'])
    expect(dead()).toEqual([])
  })

  it('is dead after a failure, with its code and what to do', () => {
    const { observe, notReady, dead, reasonsDead } = openReady()
    observe(oneOfEach.failed)
    expect(notReady()).toEqual(['failed'])
    expect(dead()).toEqual(['failed'])
    expect(reasonsDead(0)[0]!.detail).toContain('WEIR_INTERNAL_INVARIANT')
  })

  it('is dead when the main thread was blocked for too long', () => {
    const { dead } = openReady()
    expect(dead(watchdogMsMax)).toEqual([])
    expect(dead(watchdogMsMax + 1)).toEqual(['event_loop_stalled'])
  })

  it('says what to do with each reason', () => {
    for (const entry of Object.values(reasonTable)) expect(entry.action).toMatch(/\.$/)
  })
})
