/**
 * Open loop: messages go out when they are due, whatever becomes of them.
 *
 *   due(i) = start + dueAfterMs(i)       fixed before the run, never moved by slow acknowledgements
 *
 * In: a lazy stream of messages, when each is due, a sink and a clock. Out: the counts, once all is
 * acknowledged. Refused: nothing; a sink that fails ends the run with its error, since the fate of
 * its messages is then unknown. Invariants: order is kept; at most `inFlightMax` sends are under
 * way, and while none is free the due messages stay ungenerated (no memory grows); afterwards they
 * follow at once, with their old due times, and `behindMaxMs` tells how late that was.
 */
import { type Counts, countMessage, createCounts } from './counts.ts'
import type { Message } from './disturbances.ts'

export interface DueMessage extends Message {
  /** By the clock, in ms: the moment from which latency counts. */
  readonly dueMs: number
}

export interface MessageSink {
  /** Resolves when all are acknowledged. */
  send(messages: readonly DueMessage[]): Promise<void>
}

export interface ScheduleClock {
  nowMs(): number
  /** Calls back once, later; the answer cancels. */
  wakeAfter(delayMs: number, wake: () => void): () => void
}

export interface ScheduleOptions {
  readonly messages: Iterable<Message>
  /** ms after the start; the index counts the messages of the transactions topic from 0. */
  readonly dueAfterMs: (index: number, timeMs: number) => number
  readonly sink: MessageSink
  readonly clock?: ScheduleClock
  /** At least so long from send to send: latency against requests per second. 5 by default. */
  readonly tickMs?: number
  readonly inFlightMax?: number
  readonly onSend?: (messages: readonly DueMessage[]) => void
}

export interface Progress extends Readonly<Counts> {
  readonly acknowledged: number
  readonly inFlight: number
  /** How long the message sent last had been due; about a tick when all is well. */
  readonly behindMs: number
  readonly behindMaxMs: number
}

export interface Schedule {
  /** Sends nothing more; resolves like `done`, when what is under way is acknowledged. */
  stop(): Promise<Progress>
  readonly done: Promise<Progress>
  progress(): Progress
}

/** A request of kafkajs costs time in the square of its messages per partition (traps.md 20). */
const batchCountMax = 2_000
/** Below the broker's message.max.bytes, which holds for a whole batch of one partition. */
const batchBytesMax = 900_000

const wallClock: ScheduleClock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  wakeAfter: (delayMs, wake) => {
    const timer = setTimeout(wake, delayMs)
    return () => clearTimeout(timer)
  },
}

export function startSchedule(options: ScheduleOptions): Schedule {
  return new RunningSchedule(options)
}

class RunningSchedule implements Schedule {
  readonly done: Promise<Progress>
  private readonly options: ScheduleOptions
  private readonly clock: ScheduleClock
  private readonly messages: Iterator<Message>
  private readonly startMs: number
  private readonly counts = createCounts()
  private readonly settle: {
    resolve: (progress: Progress) => void
    reject: (error: unknown) => void
  }
  private next: DueMessage | null
  private index = 0
  private earliestSendMs = 0
  private acknowledged = 0
  private messagesInFlight = 0
  private sendsInFlight = 0
  private behindMs = 0
  private behindMaxMs = 0
  private cancelWake = () => {}

  constructor(options: ScheduleOptions) {
    this.options = options
    this.clock = options.clock ?? wallClock
    this.messages = options.messages[Symbol.iterator]()
    const { promise, resolve, reject } = Promise.withResolvers<Progress>()
    this.done = promise
    this.settle = { resolve, reject }
    // The first message makes the world, which takes a while: the clock starts after that.
    const first = this.messages.next()
    this.startMs = this.clock.nowMs()
    this.next = this.schedule(first, this.startMs)
    this.pump()
  }

  stop(): Promise<Progress> {
    this.next = null
    this.pump()
    return this.done
  }

  progress(): Progress {
    const { acknowledged, behindMs, behindMaxMs, messagesInFlight: inFlight } = this
    return { ...this.counts, acknowledged, inFlight, behindMs, behindMaxMs }
  }

  /** Sends one batch of what is due, if a send is free, and sees to it that it is called again. */
  private pump(): void {
    this.cancelWake()
    const { inFlightMax = 1, tickMs = 5 } = this.options
    // The next acknowledgement calls again.
    if (this.sendsInFlight >= inFlightMax) return
    if (this.isDue()) {
      // A send per acknowledgement would make many small requests, each a system call or two.
      this.earliestSendMs = this.clock.nowMs() + tickMs
      this.send(this.takeDue())
    }
    if (this.next === null) {
      if (this.sendsInFlight === 0) this.settle.resolve(this.progress())
    } else {
      const wakeMs = Math.max(this.earliestSendMs, this.next.dueMs)
      const delayMs = Math.max(0, wakeMs - this.clock.nowMs())
      this.cancelWake = this.clock.wakeAfter(delayMs, () => this.pump())
    }
  }

  private isDue(): boolean {
    const nowMs = this.clock.nowMs()
    return this.next !== null && Math.max(this.next.dueMs, this.earliestSendMs) <= nowMs
  }

  private takeDue(): DueMessage[] {
    const nowMs = this.clock.nowMs()
    const batch: DueMessage[] = []
    let bytes = 0
    this.behindMs = Math.max(0, nowMs - (this.next?.dueMs ?? nowMs))
    this.behindMaxMs = Math.max(this.behindMaxMs, this.behindMs)
    while (this.next !== null && this.next.dueMs <= nowMs && batch.length < batchCountMax) {
      bytes += this.next.value?.length ?? 0
      if (bytes > batchBytesMax && batch.length > 0) break
      batch.push(this.next)
      countMessage(this.counts, this.next)
      this.next = this.schedule(this.messages.next(), this.next.dueMs)
    }
    return batch
  }

  /** Due times never fall: a late message is due when it appears, not when it happened. */
  private schedule(result: IteratorResult<Message>, previousDueMs: number): DueMessage | null {
    if (result.done) return null
    const message = result.value
    const dueMs = this.startMs + this.options.dueAfterMs(this.index, message.timeMs)
    if (message.kind !== 'label') this.index++
    return { ...message, dueMs: Math.max(previousDueMs, dueMs) }
  }

  private send(batch: readonly DueMessage[]): void {
    this.sendsInFlight++
    this.messagesInFlight += batch.length
    this.options.onSend?.(batch)
    this.options.sink.send(batch).then(
      () => {
        this.sendsInFlight--
        this.messagesInFlight -= batch.length
        this.acknowledged += batch.length
        this.pump()
      },
      (cause: unknown) => {
        this.sendsInFlight--
        this.next = null
        this.cancelWake()
        this.settle.reject(
          new Error(
            `the sink failed on ${batch.length} messages after ${this.acknowledged} acknowledged ` +
              'ones; whether they arrived is unknown, so the run ends',
            { cause },
          ),
        )
      },
    )
  }
}
