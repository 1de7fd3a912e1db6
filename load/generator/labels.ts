/**
 * Labels: the verdict on a transaction, days later.
 *
 * In: transactions with the truth beside them. Out: labels, in the order of their label time.
 * Invariant: whether and when a transaction gets its label depends on its customer and time alone,
 * so other knobs don't move it. Not every fraud is reported, and few genuine payments are ever
 * confirmed.
 */
import type { PlannedTransaction } from './customer-day.ts'
import { dayMs, type GeneratorOptions } from './options.ts'
import { RandomStream } from './random.ts'

/** The fields of schemas/label.avsc, in its order. eventTime is the transaction's. */
export type Label = {
  readonly transactionId: string
  readonly eventTime: number
  readonly customerId: string
  readonly terminalId: string
  readonly isFraud: boolean
  readonly labelTime: number
  readonly source: string
}

/** Nobody reports a fraud within the hour. */
const labelDelayMinMs = 3_600_000
const fraudSources = ['chargeback', 'customer_report', 'case_review'] as const

/** Labels not yet known, by the day on which they will be; a day is sorted when it comes. */
export class LabelQueue {
  private readonly days = new Map<number, Label[]>()
  private readonly options: GeneratorOptions
  private readonly random: RandomStream
  private current: Label[] = []
  private taken = 0
  private nextDay = Number.POSITIVE_INFINITY

  constructor(options: GeneratorOptions) {
    this.options = options
    this.random = new RandomStream(options.seed, 'label')
  }

  /** Decides whether and when the transaction gets a label. */
  consider(planned: PlannedTransaction, transactionId: string): void {
    const isFraud = planned.fraud !== null
    const share = isFraud ? this.options.fraudLabelShare : this.options.genuineLabelShare
    if (share === 0) return
    const random = this.random.aim('label', planned.customer.index, planned.eventTimeMs)
    if (!random.chance(share)) return
    const labelTime = planned.eventTimeMs + this.drawDelayMs()
    if (labelTime > this.options.labelsUntilMs) return
    this.add({
      transactionId,
      eventTime: planned.eventTimeMs,
      customerId: planned.customer.id,
      terminalId: planned.terminal.id,
      isFraud,
      labelTime,
      source: isFraud ? random.pick(fraudSources) : 'case_review',
    })
  }

  *takeUntil(timeMs: number): Generator<SimulatedLabel, void, undefined> {
    for (;;) {
      const label = this.current[this.taken]
      if (label !== undefined) {
        if (label.labelTime > timeMs) return
        this.taken++
        yield { kind: 'label', label }
      } else if (this.nextDay * dayMs <= timeMs && this.days.size > 0) this.openDay()
      else return
    }
  }

  /** The sum of two exponentials: few at once, most within days, some after weeks. */
  private drawDelayMs(): number {
    const half = Math.max(0, this.options.labelDelayMeanDays * dayMs - labelDelayMinMs) / 2
    const { random } = this
    return Math.round(labelDelayMinMs + random.exponential(half) + random.exponential(half))
  }

  private add(label: Label): void {
    const day = Math.floor(label.labelTime / dayMs)
    const labels = this.days.get(day)
    if (labels === undefined) this.days.set(day, [label])
    else labels.push(label)
    this.nextDay = Math.min(this.nextDay, day)
  }

  private openDay(): void {
    this.current = (this.days.get(this.nextDay) ?? []).sort(
      (left, right) => left.labelTime - right.labelTime,
    )
    this.taken = 0
    this.days.delete(this.nextDay)
    this.nextDay = Math.min(...this.days.keys())
  }
}

export interface SimulatedLabel {
  readonly kind: 'label'
  readonly label: Label
}
