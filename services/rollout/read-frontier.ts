// How far every partition has been read, in the time at which its records were written.
//
// In: the partitions that are read, the times of their records, and of each that has nothing more,
// when that was asked. Out: the moment that all have passed, and who is too far ahead. Refused:
// nothing. Invariants: the moment never goes back; a partition of which nothing is known holds it
// back, one that is silent at its end does not. A partition's records may be out of order by
// graceMs: several scorers with clocks of their own write into it.

/** Clocks of scorers differ, and a record is written a little after its time was taken. */
export const graceMs = 15_000
/** A partition that has been read further than this beyond the slowest one waits for it. */
export const aheadMsMax = 120_000

export class ReadFrontier {
  readonly #times = new Map<number, number>()
  #passedMs = Number.NEGATIVE_INFINITY

  /** These partitions are read; what was known of those among them before stays known. */
  follow(laneIds: readonly number[]): void {
    for (const known of this.#times.keys()) if (!laneIds.includes(known)) this.#times.delete(known)
    for (const laneId of laneIds) this.#note(laneId, Number.NEGATIVE_INFINITY)
  }

  /** Everything is read anew. */
  forget(): void {
    this.#times.clear()
    this.#passedMs = Number.NEGATIVE_INFINITY
  }

  meet(laneId: number, timeMs: number): void {
    this.#note(laneId, timeMs)
  }

  /** Asked at `atMs`, the partition had nothing that was not read. */
  rest(laneId: number, atMs: number): void {
    this.#note(laneId, atMs)
  }

  /** No record of an earlier time is to come. */
  passedMs(): number {
    if (this.#times.size === 0) return this.#passedMs
    const slowest = Math.min(...this.#times.values()) - graceMs
    this.#passedMs = Math.max(this.#passedMs, slowest)
    return this.#passedMs
  }

  /** Whether the partition should wait for the slowest: open minutes take memory. */
  isAhead(laneId: number): boolean {
    const timeMs = this.#times.get(laneId) ?? Number.NEGATIVE_INFINITY
    return timeMs - aheadMsMax > this.passedMs()
  }

  /** Partitions that have not been seen to move since. */
  behind(sinceMs: number): readonly number[] {
    return [...this.#times].flatMap(([laneId, timeMs]) => (timeMs < sinceMs ? [laneId] : []))
  }

  #note(laneId: number, timeMs: number): void {
    const before = this.#times.get(laneId) ?? Number.NEGATIVE_INFINITY
    this.#times.set(laneId, Math.max(before, timeMs))
  }
}
