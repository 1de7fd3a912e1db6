// A histogram that takes a whole batch in one call.
//
// prom-client's own takes one value per call, and nothing in Weir is counted per event. In: the
// smallest and the largest value of a batch and its number of events; they are taken as evenly
// spread between the two. Out: the usual histogram, in whole events, and the raw counts for
// quantiles in the demo's table. Refuses values that are not finite.
// Invariant: the bucket counts add up to the number of events given.

import { Histogram, type HistogramConfiguration, type MetricValueWithName } from 'prom-client'
import { assertInvariant } from '../../core/errors.ts'

export class SpreadHistogram extends Histogram {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  /** Events per bucket, not cumulative; the last bucket is above every bound. */
  readonly #counts: number[]
  #sum = 0

  constructor(configuration: HistogramConfiguration<string>) {
    super(configuration)
    this.#name = configuration.name
    this.#help = configuration.help
    this.#bounds = configuration.buckets ?? []
    this.#counts = new Array<number>(this.#bounds.length + 1).fill(0)
  }

  observeSpread(smallest: number, largest: number, events: number): void {
    assertInvariant(
      smallest <= largest && Number.isFinite(smallest) && Number.isFinite(largest),
      `${this.#name}: a spread from ${smallest} to ${largest} is not a range`,
    )
    let below = 0
    for (let bucket = 0; bucket < this.#counts.length && below < events; bucket++) {
      const bound = this.#bounds[bucket] ?? Infinity
      const upTo = countUpTo(bound, smallest, largest, events)
      this.#counts[bucket]! += upTo - below
      below = upTo
    }
    this.#sum += ((smallest + largest) / 2) * events
  }

  /** A copy of the counts per bucket, one more than bounds. */
  readCounts(): number[] {
    return [...this.#counts]
  }

  override async get(): ReturnType<Histogram['get']> {
    const values: MetricValueWithName<string>[] = []
    let below = 0
    for (const [bucket, count] of this.#counts.entries()) {
      below += count
      const le = this.#bounds[bucket] ?? '+Inf'
      values.push({ metricName: `${this.#name}_bucket`, labels: { le }, value: below })
    }
    values.push({ metricName: `${this.#name}_sum`, labels: {}, value: this.#sum })
    values.push({ metricName: `${this.#name}_count`, labels: {}, value: below })
    const text = {
      name: this.#name,
      help: this.#help,
      type: 'histogram',
      aggregator: 'sum',
      values,
    }
    // The library's types say a number for `type` and ask for a collect function; it reads neither.
    return text as unknown as Awaited<ReturnType<Histogram['get']>>
  }

  /** prom-client prefers this over get() when it writes text. */
  getForPromString() {
    return this.get()
  }
}

/**
 * Events of the batch that are at or below a bound; monotonic in the bound, so rounding is safe.
 */
function countUpTo(bound: number, smallest: number, largest: number, events: number): number {
  if (bound >= largest) return events
  if (bound < smallest) return 0
  return Math.floor(((bound - smallest) / (largest - smallest)) * events)
}

/**
 * A quantile from counts per bucket, interpolated inside its bucket as Prometheus does; null
 * without events. Values above the last bound are reported as the last bound.
 */
export function quantileOf(
  quantile: number,
  bounds: readonly number[],
  counts: readonly number[],
): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return null
  const rank = quantile * total
  let below = 0
  for (const [bucket, count] of counts.entries()) {
    const upper = bounds[bucket] ?? bounds.at(-1)!
    const lower = bucket === 0 ? 0 : bounds[bucket - 1]!
    if (count > 0 && below + count >= rank)
      return lower + (upper - lower) * ((rank - below) / count)
    below += count
  }
  return bounds.at(-1)!
}
