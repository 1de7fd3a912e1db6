// JSON text to plain values, with whole numbers that keep their digits.
//
// JSON.parse rounds 1234567890123456789, and three customers become one. In: text. Out: what
// JSON.parse gives, but a bigint for a whole number that no double holds exactly; a fraction stays
// a double. Refused (thrown, without the text): what is no JSON. Invariant: text without a long
// number costs one look and JSON.parse.

/**
 * A number of 16 digits and more, outside of a text that begins with it; looking is cheap, reading
 * with a reviver is not, and card numbers mostly stand in quotes.
 */
const longNumber = /(?:^|[:,[\s])-?\d{16}/
const wholeNumber = /^-?\d+$/

type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const keepDigits: SourceReviver = (_key, value, { source }) =>
  typeof value === 'number' &&
  !Number.isSafeInteger(value) &&
  source !== undefined &&
  wholeNumber.test(source)
    ? BigInt(source)
    : value

export function parseExactJson(text: string): unknown {
  try {
    // The types of this TypeScript do not know the third argument yet; Node has it since 21.
    if (longNumber.test(text)) return JSON.parse(text, keepDigits as (key: string) => unknown)
    return JSON.parse(text)
  } catch {
    // V8's message shows what it stumbled over.
    throw new Error('the text is no JSON')
  }
}
