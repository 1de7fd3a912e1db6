// How long a lane has had work and made nothing of it, whatever outside was away meanwhile.
//
//   run ──► charge: the time since the mark counts      freeze ──► time stands still until `run`
//       └─► forgive: the time since the mark does not   reset ───► nothing has counted
//
// In: moments of a clock that only goes forward, ms. Out: the ms that count. Refuses nothing.
// Invariant: time counts once at most, and never while frozen.

export class LaneClock {
  #countedMs = 0
  #markMs: number
  #isFrozen = false

  constructor(nowMs: number) {
    this.#markMs = nowMs
  }

  /** The lane got somewhere, or has nothing to do. */
  reset(nowMs: number): void {
    this.#countedMs = 0
    this.#markMs = nowMs
    this.#isFrozen = false
  }

  /** Counts what has passed: an attempt that failed for a reason of our own. */
  charge(nowMs: number): void {
    this.#countedMs = this.elapsedMs(nowMs)
    this.#markMs = nowMs
  }

  /** What has passed until that moment was not the lane's fault. */
  forgive(untilMs: number): void {
    this.#markMs = Math.max(this.#markMs, untilMs)
  }

  /** What has passed was the fault of something outside, and so is what comes until `run`. */
  freeze(nowMs: number): void {
    this.#markMs = nowMs
    this.#isFrozen = true
  }

  run(nowMs: number): void {
    if (!this.#isFrozen) return
    this.#markMs = nowMs
    this.#isFrozen = false
  }

  elapsedMs(nowMs: number): number {
    return this.#countedMs + (this.#isFrozen ? 0 : Math.max(0, nowMs - this.#markMs))
  }
}
