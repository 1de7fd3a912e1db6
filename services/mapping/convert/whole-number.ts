// Whole numbers that a double holds exactly.
//
// In: text, bigint. Out: a safe integer. Refused: NaN for text of another form than a few digits
// with a sign (ask slower readers then), undefined for what a double does not hold. Invariant: -0
// never leaves here.

const zero = 48
const minus = 45
const plus = 43

/** The value of up to 15 digits with a sign or without; NaN for all other text. */
export function readDigits(text: string): number {
  const length = text.length
  const first = text.charCodeAt(0)
  const start = first === minus || first === plus ? 1 : 0
  if (length === start || length - start > 15) return Number.NaN
  let value = 0
  for (let i = start; i < length; i++) {
    const digit = text.charCodeAt(i) - zero
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return first === minus ? 0 - value : value
}

export function toSafe(value: bigint | null): number | undefined {
  const number = Number(value)
  return value !== null && Number.isSafeInteger(number) ? number : undefined
}
