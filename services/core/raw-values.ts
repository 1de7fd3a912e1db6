// Raw values that JavaScript has no type for, as sources hand them to a field's type.
//
// In: what a source's own type says of a value. Out: small classes that a field's type can tell
// apart with `instanceof`. Invariant: nothing is rounded; a decimal has all its digits.

/** unscaled / 10^scale. */
export class ExactDecimal {
  readonly unscaled: bigint
  readonly scale: number

  constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled
    this.scale = scale
  }
}

/** A date or a date and time without a zone, in ISO 8601: 2026-01-31, 2026-01-31T08:00:59.123. */
export class LocalTime {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A moment in time; ms since the epoch, digits behind the milliseconds cut off. */
export class Instant {
  readonly ms: number

  constructor(ms: number) {
    this.ms = ms
  }
}
