// The order of texts in expressions: by code point, as CEL has it, the same on every machine.
//
// In: two texts. Out: below, at or above 0. Invariant: JavaScript's own order differs only where a
// surrogate pair meets a character of U+E000 to U+FFFF; no locale has a say.

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

export function compareTexts(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let i = 0; i < length; i++) {
    const first = left.charCodeAt(i)
    const second = right.charCodeAt(i)
    if (first === second) continue
    // Pairs stand for code points above all others.
    if (isSurrogate(first) !== isSurrogate(second)) {
      if (isSurrogate(first) && second >= 0xe000) return 1
      if (isSurrogate(second) && first >= 0xe000) return -1
    }
    return first - second
  }
  return left.length - right.length
}
