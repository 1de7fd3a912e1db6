// One line of NDJSON: an object with exact whole numbers, or why it is none.
//
// In: text without its line break. Out: the object; a whole number that no double holds is a
// bigint, so that ids keep their digits; a fraction stays a double. Refused, as a sentence without
// the text: what is not a JSON object. Invariant: a line without a long number costs one look and
// JSON.parse.

export type JsonRow = Readonly<Record<string, unknown>>

/** A number of 16 digits and more; card numbers in quotes do not count. */
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

/** A text is the fault of a line that is no object. */
export function parseJsonLine(line: string): JsonRow | string {
  try {
    // The types of this TypeScript do not know the third argument yet; Node has it since 21.
    const value: unknown = longNumber.test(line)
      ? JSON.parse(line, keepDigits as (key: string) => unknown)
      : JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonRow)
      : 'the line is not a JSON object'
  } catch {
    const token = findForeignToken(line)
    return token === null
      ? 'the line is not a JSON object'
      : `the line has ${token}, which JSON does not have`
  }
}

/** What Python writes for a float that is no number. */
function findForeignToken(line: string): string | null {
  const withoutTexts = line.replace(/"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)/g, '""')
  return /-?\b(?:NaN|Infinity)\b/.exec(withoutTexts)?.[0] ?? null
}
