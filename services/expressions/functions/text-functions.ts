// Functions over texts: letters, parts, tests.
//
// In: texts, as they are. Out: texts, counts, flags. Refused: nothing. Invariants: letters change
// case by Unicode alone, without a locale; what counts characters counts code points, so a pair is
// never cut; a test of an absent text is false. There are no regular expressions: JavaScript's may
// take exponential time.

import { hashToShare } from '../../core/hash.ts'
import type { ExpressionFunction } from './expression-function.ts'

export const textFunctions: readonly ExpressionFunction[] = [
  {
    name: 'lower',
    parameters: { text: 'text' },
    result: 'text',
    sentence: 'The text in small letters.',
    apply: (text: string) => text.toLowerCase(),
  },
  {
    name: 'upper',
    parameters: { text: 'text' },
    result: 'text',
    sentence: 'The text in capital letters.',
    apply: (text: string) => text.toUpperCase(),
  },
  {
    name: 'trim',
    parameters: { text: 'text' },
    result: 'text',
    sentence: 'The text without white space at its ends.',
    apply: (text: string) => text.trim(),
  },
  {
    name: 'size',
    parameters: { text: 'text' },
    result: 'number',
    sentence: 'The number of characters (Unicode code points).',
    apply: (text: string) => countCharacters(text),
  },
  {
    name: 'prefix',
    parameters: { text: 'text', count: 'number' },
    result: 'text',
    sentence: 'The first characters: `prefix("411111", 4)` is "4111".',
    apply: (text: string, count: number) => text.slice(0, unitsOf(text, count)),
  },
  {
    name: 'suffix',
    parameters: { text: 'text', count: 'number' },
    result: 'text',
    sentence: 'The last characters: `suffix("411111", 2)` is "11".',
    apply: (text: string, count: number) =>
      text.slice(unitsOf(text, countCharacters(text) - Math.max(0, Math.floor(count)))),
  },
  {
    name: 'digits',
    parameters: { text: 'text' },
    result: 'text',
    sentence: 'The digits 0 to 9 of the text: `digits("+49 (30) 12")` is "493012".',
    apply: (text: string) => text.replace(/[^0-9]/g, ''),
  },
  {
    name: 'startsWith',
    parameters: { text: 'text', start: 'text' },
    result: 'flag',
    sentence: 'Whether the text begins with another.',
    apply: (text: string, start: string) => text.startsWith(start),
    whenAbsent: false,
  },
  {
    name: 'endsWith',
    parameters: { text: 'text', end: 'text' },
    result: 'flag',
    sentence: 'Whether the text ends with another.',
    apply: (text: string, end: string) => text.endsWith(end),
    whenAbsent: false,
  },
  {
    name: 'contains',
    parameters: { text: 'text', part: 'text' },
    result: 'flag',
    sentence: 'Whether another text is found in it.',
    apply: (text: string, part: string) => text.includes(part),
    whenAbsent: false,
  },
  {
    name: 'hash',
    parameters: { text: 'text' },
    result: 'number',
    sentence: 'A number of at least 0 and below 1 that depends on the text alone: for sampling.',
    apply: (text: string) => hashToShare(text),
  },
]

function countCharacters(text: string): number {
  let pairs = 0
  for (let i = 0; i < text.length; i++) {
    if (isPairAt(text, i)) {
      pairs += 1
      i += 1
    }
  }
  return text.length - pairs
}

/** UTF-16 units of the first `count` characters. */
function unitsOf(text: string, count: number): number {
  let at = 0
  for (let left = Math.floor(count); left > 0 && at < text.length; left--) {
    at += isPairAt(text, at) ? 2 : 1
  }
  return at
}

function isPairAt(text: string, index: number): boolean {
  const first = text.charCodeAt(index)
  if (first < 0xd800 || first > 0xdbff) return false
  const second = text.charCodeAt(index + 1)
  return second >= 0xdc00 && second <= 0xdfff
}
