// The open loop: due times are fixed by the schedule alone, whatever the sink does.

import { describe, expect, it } from 'vitest'
import type { Message } from '../../../load/generator/disturbances.ts'
import {
  type DueMessage,
  type MessageSink,
  type ScheduleClock,
  startSchedule,
} from '../../../load/generator/schedule.ts'

/** Time passes when the test says so. */
class TestClock implements ScheduleClock {
  private timeMs = 1_000_000
  private wakes: { readonly atMs: number; readonly wake: () => void }[] = []

  nowMs(): number {
    return this.timeMs
  }

  wakeAfter(delayMs: number, wake: () => void): () => void {
    const entry = { atMs: this.timeMs + delayMs, wake }
    this.wakes.push(entry)
    return () => {
      this.wakes = this.wakes.filter((other) => other !== entry)
    }
  }

  async advance(ms: number): Promise<void> {
    for (let step = 0; step < ms; step++) {
      this.timeMs++
      const due = this.wakes.filter(({ atMs }) => atMs <= this.timeMs)
      this.wakes = this.wakes.filter(({ atMs }) => atMs > this.timeMs)
      for (const { wake } of due) wake()
      // Lets acknowledgements that were given meanwhile be noticed.
      await Promise.resolve()
      await Promise.resolve()
    }
  }
}

/** Acknowledges at once, or when told to. */
class TestSink implements MessageSink {
  readonly sends: (readonly DueMessage[])[] = []
  isStalled = false
  private waiting: { resolve: () => void; reject: (error: Error) => void }[] = []

  send(messages: readonly DueMessage[]): Promise<void> {
    this.sends.push(messages)
    if (!this.isStalled) return Promise.resolve()
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  recover(): void {
    this.isStalled = false
    for (const { resolve } of this.waiting.splice(0)) resolve()
  }

  fail(): void {
    for (const { reject } of this.waiting.splice(0)) reject(new Error('broker gone'))
  }

  get messages(): readonly DueMessage[] {
    return this.sends.flat()
  }
}

function message(index: number, changes: Partial<Message> = {}): Message {
  const base = { kind: 'transaction', key: 'c1', value: Buffer.of(1), timeMs: index } as const
  return { ...base, transactionId: `t${index}`, poison: null, ...changes }
}

let generated = 0
function* messages(count: number): Generator<Message> {
  for (generated = 0; generated < count; ) yield message(generated++)
}

const everyMs = (index: number) => index

function start(count: number, changes: Partial<Parameters<typeof startSchedule>[0]> = {}) {
  const clock = new TestClock()
  const sink = new TestSink()
  const startMs = clock.nowMs()
  const options = { messages: messages(count), dueAfterMs: everyMs, sink, clock, tickMs: 5 }
  return { clock, sink, startMs, schedule: startSchedule({ ...options, ...changes }) }
}

describe('schedule', () => {
  it('schedule - sends each message when it is due, never before and at most a tick after', async () => {
    const clock = new TestClock()
    const startMs = clock.nowMs()
    const delays: number[] = []
    const sink: MessageSink = {
      send: async (batch) => {
        for (const { dueMs } of batch) delays.push(clock.nowMs() - dueMs)
      },
    }
    const schedule = startSchedule({ messages: messages(200), dueAfterMs: everyMs, sink, clock })
    await clock.advance(250)
    const end = await schedule.done
    expect(end).toMatchObject({ transactions: 200, acknowledged: 200, inFlight: 0 })
    expect(delays).toHaveLength(200)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...delays)).toBeLessThanOrEqual(5)
    expect(startMs).toBe(1_000_000)
  })

  it('schedule - keeps the due times while the sink stalls, and catches up afterwards', async () => {
    const { clock, sink, startMs, schedule } = start(1_000)
    await clock.advance(100)
    sink.isStalled = true
    await clock.advance(400)
    const stalled = schedule.progress()
    // One send is under way; what became due meanwhile is not even generated.
    expect(stalled.inFlight).toBeGreaterThan(0)
    expect(stalled.transactions).toBeLessThan(110)
    expect(generated).toBe(stalled.transactions + 1)
    sink.recover()
    await clock.advance(5)
    expect(schedule.progress().transactions).toBeGreaterThanOrEqual(500)
    expect(schedule.progress().behindMaxMs).toBeGreaterThan(380)
    await clock.advance(600)
    expect(await schedule.done).toMatchObject({ transactions: 1_000, acknowledged: 1_000 })
    expect(sink.messages.map(({ dueMs }) => dueMs - startMs)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index),
    )
  })

  it('schedule - has at most the allowed sends under way', async () => {
    const { clock, sink, schedule } = start(1_000, { inFlightMax: 3 })
    sink.isStalled = true
    await clock.advance(500)
    expect(sink.sends).toHaveLength(4)
    sink.recover()
    await clock.advance(700)
    expect((await schedule.done).acknowledged).toBe(1_000)
  })

  it('schedule - keeps the order and never lets a late message be due in the past', async () => {
    const late = [message(0), message(500), message(20, { kind: 'late' }), message(501)]
    const { clock, sink, startMs, schedule } = start(0, {
      messages: late,
      dueAfterMs: (_index, timeMs) => timeMs,
    })
    await clock.advance(600)
    expect((await schedule.done).late).toBe(1)
    expect(sink.messages.map(({ transactionId }) => transactionId)).toEqual([
      't0',
      't500',
      't20',
      't501',
    ])
    expect(sink.messages.map(({ dueMs }) => dueMs - startMs)).toEqual([0, 500, 500, 501])
  })

  it('schedule - does not count labels in the rate', async () => {
    const mixed = [message(0), message(1, { kind: 'label' }), message(2), message(3)]
    const { clock, sink, startMs, schedule } = start(0, {
      messages: mixed,
      dueAfterMs: (index) => index * 100,
    })
    await clock.advance(300)
    expect(await schedule.done).toMatchObject({ transactions: 3, labels: 1 })
    expect(sink.messages.map(({ dueMs }) => dueMs - startMs)).toEqual([0, 100, 100, 200])
  })

  it('schedule - cuts batches by count and by bytes, but for a message larger than a batch', async () => {
    const many = start(4_500, { dueAfterMs: () => 0 })
    await many.clock.advance(20)
    expect((await many.schedule.done).acknowledged).toBe(4_500)
    expect(Math.max(...many.sink.sends.map(({ length }) => length))).toBe(2_000)
    const sizes = [100, 1_000_000, 100, 500_000, 300_000, 200_000]
    const huge = sizes.map((size, index) => message(index, { value: Buffer.alloc(size) }))
    const { clock, sink, schedule } = start(0, { messages: huge, dueAfterMs: () => 0 })
    await clock.advance(50)
    await schedule.done
    expect(sink.sends.map((batch) => batch.length)).toEqual([1, 1, 3, 1])
  })

  it('schedule - stops when told to, counts only what it sent and waits for it', async () => {
    const { clock, sink, schedule } = start(1_000)
    await clock.advance(100)
    sink.isStalled = true
    await clock.advance(10)
    const stopped = schedule.stop()
    await clock.advance(100)
    sink.recover()
    const end = await stopped
    expect(end.transactions).toBe(sink.messages.length)
    expect(end.acknowledged).toBe(end.transactions)
    expect(end.transactions).toBeLessThan(120)
  })

  it('schedule - ends with the error of a sink that fails, and sends nothing more', async () => {
    const { clock, sink, schedule } = start(1_000)
    sink.isStalled = true
    await clock.advance(50)
    sink.fail()
    await expect(schedule.done).rejects.toThrow(/whether they arrived is unknown/)
    const sends = sink.sends.length
    await clock.advance(100)
    expect(sink.sends).toHaveLength(sends)
  })

  it('schedule - ends at once when there is nothing to send', async () => {
    expect(await start(0).schedule.done).toMatchObject({ transactions: 0, acknowledged: 0 })
  })
})
