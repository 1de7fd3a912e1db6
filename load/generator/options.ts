/**
 * The knobs of the simulated world, and their checking.
 *
 * In: any subset of the knobs. Out: all of them, frozen. Refused: unknown values and values out of
 * range, all faults together, each with the value found and the range expected. Invariant: whoever
 * holds `GeneratorOptions` holds a world that can be made.
 */
export interface GeneratorOptions {
  readonly seed: number
  readonly customers: number
  readonly terminals: number
  readonly transactionsPerCustomerPerDay: number
  /** Of all transactions, over all scenarios of frauds.ts. */
  readonly fraudShare: number
  /** Share of all traffic that goes to terminal 0, a large online shop. */
  readonly hotTerminalShare: number
  /** Share of the frauds that somebody reports. */
  readonly fraudLabelShare: number
  /** Share of the genuine transactions that get a label saying so. */
  readonly genuineLabelShare: number
  readonly labelDelayMeanDays: number
  /** Labels known only after this moment are left out (a live run must not tell the future). */
  readonly labelsUntilMs: number
  /** First event time, in ms since 1970 (UTC, as are the day and night of the simulated people). */
  readonly startTimeMs: number
  readonly days: number
  /** At most so many transactions; what ends first, days or count, ends the history. */
  readonly count: number
}

export const dayMs = 86_400_000

const defaults: GeneratorOptions = {
  seed: 1,
  customers: 5_000,
  terminals: 10_000,
  transactionsPerCustomerPerDay: 2,
  fraudShare: 0.007,
  hotTerminalShare: 0,
  fraudLabelShare: 0.95,
  genuineLabelShare: 0,
  labelDelayMeanDays: 5,
  labelsUntilMs: Number.POSITIVE_INFINITY,
  startTimeMs: Date.UTC(2026, 0, 1),
  days: 31,
  count: Number.POSITIVE_INFINITY,
}

interface Range {
  readonly low: number
  readonly high: number
  readonly isWhole: boolean
}

const whole = (low: number, high: number): Range => ({ low, high, isWhole: true })
const real = (low: number, high: number): Range => ({ low, high, isWhole: false })
const forever = Number.POSITIVE_INFINITY

/** A day of transactions is held in memory, hence the ceilings on customers and their activity. */
const ranges: Readonly<Record<keyof GeneratorOptions, Range>> = {
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  customers: whole(1, 2_000_000),
  terminals: whole(2, 2_000_000),
  transactionsPerCustomerPerDay: real(0.01, 5_000),
  fraudShare: real(0, 0.2),
  hotTerminalShare: real(0, 1),
  fraudLabelShare: real(0, 1),
  genuineLabelShare: real(0, 1),
  labelDelayMeanDays: real(0.1, 365),
  labelsUntilMs: real(0, forever),
  startTimeMs: whole(0, Date.UTC(2100, 0, 1)),
  days: real(0, 36_500),
  count: real(0, forever),
}

export const settingNames: readonly string[] = Object.keys(ranges)

/** The bench's data of design.md section 11: about 300,000 transactions in 31 days. */
export const benchPreset = {
  seed: 11,
  customers: 5_000,
  terminals: 10_000,
  transactionsPerCustomerPerDay: 2,
  days: 31,
} as const satisfies Partial<GeneratorOptions>

export function resolveOptions(given: Partial<GeneratorOptions> = {}): GeneratorOptions {
  const options = { ...defaults, ...given }
  const faults: string[] = []
  for (const name of Object.keys(options)) {
    const fault = faultOf(name, options[name as keyof GeneratorOptions])
    if (fault !== null) faults.push(fault)
  }
  if (faults.length > 0) throw new RangeError(`the generator cannot start: ${faults.join('; ')}`)
  return Object.freeze(options)
}

function faultOf(name: string, value: unknown): string | null {
  const range = ranges[name as keyof GeneratorOptions]
  if (range === undefined) return `${name} is not a setting of the generator`
  const isNumber = typeof value === 'number' && !Number.isNaN(value)
  if (!isNumber || value < range.low || value > range.high) {
    return `${name} is ${String(value)}, expected a number from ${range.low} to ${range.high}`
  }
  if (range.isWhole && !Number.isInteger(value))
    return `${name} is ${value}, expected a whole number`
  return null
}
