// When a scorer is hurt: at its order's point, at the n-th time, once.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  createFailSwitch,
  type FailOrder,
  failPoints,
  reachedFileOf,
} from '../../../load/chaos/fail-points.ts'
import { watchTransactions } from '../../../load/chaos/watch-transactions.ts'
import { stages } from '../../../services/pipeline/observe/signals.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

function openSwitch(order?: FailOrder) {
  const orderFile = join(temporaryFolder(), 'scorer.order')
  const strikes: string[] = []
  const failSwitch = createFailSwitch(orderFile, (signal) => {
    // What waits for the file must find it before the process is gone.
    strikes.push(`${signal} ${readFileSync(reachedFileOf(orderFile), 'utf8')}`)
  })
  if (order !== undefined) {
    writeFileSync(orderFile, JSON.stringify(order))
    failSwitch.arm()
  }
  return { failSwitch, strikes, orderFile }
}

const passAll = ({ pass }: ReturnType<typeof createFailSwitch>, times = 1) => {
  for (let i = 0; i < times; i++) for (const point of failPoints) pass(point)
}

describe('fail points', () => {
  it('a switch without an order never strikes', () => {
    const { failSwitch, strikes, orderFile } = openSwitch()
    passAll(failSwitch, 5)
    expect(strikes).toEqual([])
    expect(existsSync(reachedFileOf(orderFile))).toBe(false)
  })

  it.each(failPoints)('%s - strikes the third time, and never again', (point) => {
    const { failSwitch, strikes } = openSwitch({ point, nth: 3, signal: 'SIGSTOP' })
    passAll(failSwitch, 2)
    expect(strikes).toEqual([])
    passAll(failSwitch, 4)
    expect(strikes).toEqual([`SIGSTOP ${point}`])
  })

  it('stages tell when a batch has passed decode, enrich and classify', () => {
    const orders = { decode: 'after_decode', enrich: 'after_advance', classify: 'after_classify' }
    for (const [stage, point] of Object.entries(orders)) {
      const order = { point, nth: 1, signal: 'SIGKILL' } as FailOrder
      const { failSwitch, strikes } = openSwitch(order)
      const done = { kind: 'stage_done', events: 1, passed: 1, durationMs: 1 } as const
      for (const other of stages) {
        if (other !== stage) failSwitch.watch({ ...done, stage: other })
      }
      expect(strikes).toEqual([])
      failSwitch.watch({ ...done, stage: stage as (typeof stages)[number] })
      expect(strikes).toEqual([`SIGKILL ${point}`])
    }
  })
})

describe('watched transactions', () => {
  const calls: string[] = []
  const answer = (name: string) => async () => {
    calls.push(name)
    return name as never
  }
  class Client {
    producer(config?: { readonly transactionalId?: string }) {
      const transaction = {
        sendBatch: answer('sendBatch'),
        sendOffsets: answer('sendOffsets'),
        commit: answer('commit'),
        abort: answer('abort'),
      }
      return { config, transaction: async () => transaction }
    }
    consumer(config: object) {
      return config
    }
  }

  it('tell each step before and after, and change nothing else', async () => {
    watchTransactions(Client as never, (point) => calls.push(point), 4000)
    const client = new Client()
    const producer = client.producer({ transactionalId: 'a' })
    expect(producer.config).toEqual({ transactionalId: 'a' })
    const transaction = await producer.transaction()
    expect(await transaction.sendBatch()).toBe('sendBatch')
    await transaction.sendOffsets()
    await transaction.commit()
    await transaction.abort()
    expect(calls).toEqual([
      ...['before_send', 'sendBatch', 'after_send'],
      ...['before_send_offsets', 'sendOffsets', 'after_send_offsets'],
      ...['before_commit', 'commit', 'after_commit', 'abort'],
    ])
    expect(client.consumer({ groupId: 'g', sessionTimeout: 10_000 })).toEqual({
      groupId: 'g',
      sessionTimeout: 4000,
      rebalanceTimeout: 4000,
    })
  })
})
