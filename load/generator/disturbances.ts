/**
 * From a tidy history to what a topic sees: some messages late, some twice, some rubbish.
 *
 * In: the timeline and the shares. Out: a lazy stream of messages.
 * Refused: shares outside 0 to 1. Invariants: every transaction of the timeline appears exactly
 * once as `transaction` or `late`; duplicates and poison come on top, never instead (counts.ts);
 * with all shares at 0 the order is the timeline's. A message that waits is held until event
 * time has passed the moment it is due; what still waits at the end follows at the end.
 */
import { drawPoison, type PoisonName } from './poison.ts'
import { RandomStream } from './random.ts'
import type { SimulatedTransaction, TimelineItem, Transaction } from './timeline.ts'
import type { Wire } from './wire.ts'

export interface Disturbances {
  readonly seed: number
  /** Shares of the transactions. Late: it arrives after others with later event times. */
  readonly lateShare: number
  readonly latenessMeanMs: number
  readonly duplicateShare: number
  readonly duplicateDelayMeanMs: number
  readonly poisonShare: number
  /** Size of the huge_value poison: below the broker's message.max.bytes (1,048,588 by default). */
  readonly hugeBytes: number
}

export const noDisturbances: Disturbances = {
  seed: 1,
  lateShare: 0,
  latenessMeanMs: 300_000,
  duplicateShare: 0,
  duplicateDelayMeanMs: 60_000,
  poisonShare: 0,
  hugeBytes: 1_000_000,
}

type MessageKind = 'transaction' | 'late' | 'duplicate' | 'poison' | 'label'

export interface Message {
  readonly kind: MessageKind
  readonly key: string
  readonly value: Buffer | null
  /** Event time of the transaction, label time of a label. */
  readonly timeMs: number
  /** The id inside the value; null for poison, whose value may hold none. */
  readonly transactionId: string | null
  readonly poison: PoisonName | null
}

interface MessageStreamOptions {
  readonly timeline: Iterable<TimelineItem>
  readonly wire: Wire
  readonly disturbances?: Partial<Disturbances>
}

export function* generateMessages(
  options: MessageStreamOptions,
): Generator<Message, void, undefined> {
  const disturbances = checkDisturbances({ ...noDisturbances, ...options.disturbances })
  const disturber = new Disturber(disturbances, options.wire)
  for (const item of options.timeline) {
    if (item.kind === 'label') {
      yield labelMessage(item.label, options.wire)
    } else {
      yield* disturber.pass(item)
    }
  }
  yield* disturber.release(Number.POSITIVE_INFINITY)
}

class Disturber {
  private readonly disturbances: Disturbances
  private readonly wire: Wire
  private poisonCount = 0
  private readonly random: RandomStream
  /** In the order of their due times, the next one last. */
  private readonly waiting: { readonly dueMs: number; readonly message: Message }[] = []

  constructor(disturbances: Disturbances, wire: Wire) {
    this.disturbances = disturbances
    this.wire = wire
    this.random = new RandomStream(disturbances.seed, 'disturbance')
  }

  /** Three draws per transaction whatever the shares: no share moves another's choices. */
  *pass({ transaction }: SimulatedTransaction): Generator<Message, void, undefined> {
    const { disturbances, random } = this
    const isLate = random.chance(disturbances.lateShare)
    const isTwice = random.chance(disturbances.duplicateShare)
    const isPoisoned = random.chance(disturbances.poisonShare)
    const message = transactionMessage(transaction, this.wire, isLate ? 'late' : 'transaction')
    const latenessMs = isLate ? this.drawDelay(transaction, 1, disturbances.latenessMeanMs) : 0
    if (isLate) this.hold(message, latenessMs)
    else yield message
    if (isTwice) {
      const delayMs = this.drawDelay(transaction, 2, disturbances.duplicateDelayMeanMs)
      this.hold({ ...message, kind: 'duplicate' }, latenessMs + delayMs)
    }
    if (isPoisoned) yield this.poison(transaction)
    yield* this.release(transaction.eventTime)
  }

  *release(timeMs: number): Generator<Message, void, undefined> {
    for (;;) {
      const next = this.waiting.at(-1)
      if (next === undefined || next.dueMs > timeMs) return
      this.waiting.pop()
      yield next.message
    }
  }

  private drawDelay(transaction: Transaction, part: number, meanMs: number): number {
    const random = new RandomStream(
      this.disturbances.seed,
      'disturbance',
      transaction.eventTime,
      part,
    )
    return 1 + Math.round(random.exponential(meanMs))
  }

  private hold(message: Message, delayMs: number): void {
    const dueMs = message.timeMs + delayMs
    const { waiting } = this
    let low = 0
    let high = waiting.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (waiting[middle]!.dueMs > dueMs) low = middle + 1
      else high = middle
    }
    waiting.splice(low, 0, { dueMs, message })
  }

  private poison(neighbour: Transaction): Message {
    const serial = this.poisonCount++
    const { name, value } = drawPoison({
      transaction: { ...neighbour, transactionId: `p${this.disturbances.seed}-${serial}` },
      wire: this.wire,
      random: new RandomStream(this.disturbances.seed, 'disturbance', neighbour.eventTime, 3),
      hugeBytes: this.disturbances.hugeBytes,
    })
    const { customerId: key, eventTime: timeMs } = neighbour
    return { kind: 'poison', key, value, timeMs, transactionId: null, poison: name }
  }
}

function transactionMessage(
  transaction: Transaction,
  wire: Wire,
  kind: 'transaction' | 'late',
): Message {
  const { customerId, eventTime, transactionId } = transaction
  const value = wire.encodeTransaction(transaction)
  return { kind, key: customerId, value, timeMs: eventTime, transactionId, poison: null }
}

function labelMessage(label: Parameters<Wire['encodeLabel']>[0], wire: Wire): Message {
  const { customerId: key, labelTime: timeMs, transactionId } = label
  const value = wire.encodeLabel(label)
  return { kind: 'label', key, value, timeMs, transactionId, poison: null }
}

function checkDisturbances(disturbances: Disturbances): Disturbances {
  const faults = (['lateShare', 'duplicateShare', 'poisonShare'] as const)
    .filter((name) => !(disturbances[name] >= 0 && disturbances[name] <= 1))
    .map((name) => `${name} is ${disturbances[name]}, expected a number from 0 to 1`)
  if (faults.length > 0) throw new RangeError(`cannot disturb: ${faults.join('; ')}`)
  return disturbances
}
