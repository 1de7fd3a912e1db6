// The parts of a time's pattern, as in Java's DateTimeFormatter.
//
//   yyyy-MM-dd'T'HH:mm:ss.SSSXXX     dd/MM/yy hh:mm a     MMddHHmmss (no year: the nearest one)
//
// In: a pattern from the pipeline file. Out: its parts in order. Refused (a sentence): letters and
// widths that are not known here, text that is not quoted, parts that say too little (no month) or
// the same thing twice. Invariant: what passes here says day and month, and never an hour of two.

export type PatternLetter = 'y' | 'M' | 'd' | 'H' | 'h' | 'm' | 's' | 'S' | 'a' | 'Z' | 'X'

export type PatternPart =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'field'; readonly letter: PatternLetter; readonly width: number }

const widths: Readonly<Record<PatternLetter, readonly number[]>> = {
  y: [2, 4],
  M: [1, 2, 3, 4],
  d: [1, 2],
  H: [1, 2],
  h: [1, 2],
  m: [1, 2],
  s: [1, 2],
  S: [1, 2, 3, 4, 5, 6, 7, 8, 9],
  a: [1],
  Z: [1, 2, 3],
  X: [1, 2, 3],
}

const instead: Readonly<Record<string, string>> = {
  Y: 'Y is the year of a week; write y',
  u: 'write y for the year',
  D: 'D is the day of the year; write d',
  K: 'write h for hours up to 12',
  k: 'write H for hours',
  z: 'names of zones are not read; declare `zone`',
  x: 'write X for the zone',
  E: 'names of week days are not read',
  '[': 'optional parts are not read',
  ']': 'optional parts are not read',
}

const isLetter = (letter: string): letter is PatternLetter => Object.hasOwn(widths, letter)

/** A quoted text, a letter as often as it repeats, or one other character. */
const token = /'((?:[^']|'')*)'|([A-Za-z])\2*|./gs

/** @returns the parts, or the fault in words. */
export function readPattern(pattern: string): readonly PatternPart[] | string {
  const parts: PatternPart[] = []
  for (const match of pattern.matchAll(token)) {
    const part = readPart(match)
    if (typeof part === 'string') return part
    parts.push(part)
  }
  return findFault(parts) ?? parts
}

function readPart([text, quoted, letter]: RegExpExecArray): PatternPart | string {
  // Two quotes, in quotes or alone, are one.
  if (quoted !== undefined) {
    return { kind: 'literal', text: quoted === '' ? "'" : quoted.replaceAll("''", "'") }
  }
  if (text === "'") return 'a quote is not closed'
  if (letter === undefined) {
    const hint = instead[text] ?? (/[{}#]/.test(text) ? `${text} has no meaning` : null)
    return hint ?? { kind: 'literal', text }
  }
  if (!isLetter(letter)) {
    return instead[letter] ?? `${letter} has no meaning; text stands in quotes: '${text}'`
  }
  if (widths[letter].includes(text.length)) return { kind: 'field', letter, width: text.length }
  return `${text} has no meaning; ${letter} stands ${widths[letter].join(', ')} times`
}

function findFault(parts: readonly PatternPart[]): string | null {
  const letters = parts.flatMap((part) => (part.kind === 'field' ? [part.letter] : []))
  const has = (letter: PatternLetter): boolean => letters.includes(letter)
  const twice = letters.find((letter, index) => letters.indexOf(letter) !== index)
  if (twice !== undefined) return `${twice} stands there twice`
  if (!has('M')) return 'the month is missing: M (m is minutes)'
  if (!has('d')) return 'the day is missing: d'
  if (has('H') && has('h')) return 'H and h are both the hour'
  if (has('h') !== has('a')) return 'h (hours up to 12) and a (AM or PM) need each other'
  if (has('m') && !has('H') && !has('h')) return 'minutes (m) need the hour (M is the month)'
  if (has('s') && !has('m')) return 'seconds (s) need minutes (m)'
  if (has('S') && !has('s')) return 'fractions (S) need seconds (s)'
  if (has('Z') && has('X')) return 'Z and X are both the zone'
  return parts.some(isVague) ? 'digits of one letter (M, d, H, h, m, s) need a sign between' : null
}

/** A number of one or two digits, beside which another begins. */
function isVague(part: PatternPart, index: number, parts: readonly PatternPart[]): boolean {
  const isNumber = (other: PatternPart | undefined): boolean =>
    other?.kind === 'field' && 'yMdHhmsS'.includes(other.letter) && !isName(other)
  const isShort = part.kind === 'field' && part.width === 1 && part.letter !== 'S'
  if (!isNumber(part) || !isShort) return false
  return isNumber(parts[index - 1]) || isNumber(parts[index + 1])
}

const isName = (part: PatternPart): boolean =>
  part.kind === 'field' && part.letter === 'M' && part.width > 2
