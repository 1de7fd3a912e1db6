// A start that waits: what it waits for and what not, and that no attempt leaves anything open.

import { describe, expect, it } from 'vitest'
import { type ErrorCode, WeirError } from '../../services/core/errors.ts'
import { readSettings } from '../../services/core/settings.ts'
import type { Signal } from '../../services/pipeline/observe/signals.ts'
import { openWhenThere } from '../../services/scorer/open-when-there.ts'

const settings = readSettings({
  WEIR_KAFKA_BROKERS: 'one:9092,two:9092',
  WEIR_REDIS_URL: 'redis://ana:s3cret@store:6380',
  WEIR_REGISTRY_URL: 'http://registry:8081/apis',
})

const away = (code: ErrorCode) => new WeirError(code, 'ECONNREFUSED')

/** Attempts that open two things and fail between them, or when they begin. */
function start(failures: { open?: readonly Error[]; begin?: readonly Error[] }) {
  const failing = { open: [...(failures.open ?? [])], begin: [...(failures.begin ?? [])] }
  const told: Signal[] = []
  const stop = new AbortController()
  let handles = 0
  const add = (close: (handle: () => Promise<void>) => void): void => {
    handles++
    close(async () => {
      handles--
    })
  }
  const opening = openWhenThere({
    open: async (toClose) => {
      add(toClose)
      const error = failing.open.shift()
      if (error !== undefined) throw error
      add(toClose)
      return 'running'
    },
    begin: async () => {
      const error = failing.begin.shift()
      if (error !== undefined) throw error
    },
    settings,
    observe: (signal) => told.push(signal),
    tell: () => undefined,
    signal: stop.signal,
  })
  return { opening, told, stop, handles: () => handles }
}

describe('open when there', () => {
  it('opens all anew until everything is there, and keeps the last attempt alone', async () => {
    const { opening, told, handles } = start({
      open: [away('WEIR_REGISTRY_AWAY')],
      begin: [away('WEIR_KAFKA_AWAY')],
    })
    const { opened, closeAll } = await opening
    expect([opened, handles()]).toEqual(['running', 2])
    expect(told).toMatchObject([
      { system: 'registry', address: 'registry:8081', attempt: 1, code: 'WEIR_REGISTRY_AWAY' },
      { system: 'kafka', address: 'one:9092, two:9092', attempt: 2, code: 'WEIR_KAFKA_AWAY' },
    ])
    await closeAll()
    expect(handles()).toBe(0)
  })

  it('tells of everything that is away, without credentials', async () => {
    const both = new AggregateError([away('WEIR_KAFKA_AWAY'), away('WEIR_ENRICH_STORE_AWAY')])
    const { opening, told } = start({ open: [both] })
    await opening
    expect(told).toMatchObject([
      { kind: 'waiting', system: 'kafka' },
      { kind: 'waiting', system: 'redis', address: 'store:6380' },
    ])
    expect(JSON.stringify(told)).not.toContain('s3cret')
  })

  it.each([
    away('WEIR_ENVIRONMENT_UNFIT'),
    away('WEIR_CLASSIFY_MODEL_REFUSED'),
    away('WEIR_SETTINGS_INVALID'),
    new TypeError('a mistake of ours'),
    new AggregateError([away('WEIR_KAFKA_AWAY'), away('WEIR_ENRICH_STORE_UNFIT')]),
  ])('does not wait for what stays as it is: %s', async (error) => {
    const { opening, told, handles } = start({ open: [error] })
    await expect(opening).rejects.toBe(error)
    expect([told, handles()]).toEqual([[], 0])
  })

  it('ends in the middle of a pause when it is told to, with nothing open', async () => {
    const failing = Array.from({ length: 50 }, () => away('WEIR_KAFKA_AWAY'))
    const { opening, stop, handles } = start({ open: failing })
    setImmediate(() => stop.abort('SIGTERM'))
    await expect(opening).rejects.toBe('SIGTERM')
    expect(handles()).toBe(0)
  })

  it('ends in the middle of opening, and closes what comes too late', async () => {
    const late = Promise.withResolvers<string>()
    const closed = Promise.withResolvers<void>()
    const stop = new AbortController()
    const opening = openWhenThere({
      open: (add) => {
        add(async () => closed.resolve())
        return late.promise
      },
      begin: async () => undefined,
      settings,
      observe: () => undefined,
      tell: () => undefined,
      signal: stop.signal,
    })
    stop.abort('SIGTERM')
    await expect(opening).rejects.toBe('SIGTERM')
    late.resolve('running')
    await closed.promise
  })
})
