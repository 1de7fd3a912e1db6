// One key of a sound pipeline file changed at random, or said twice, is always refused.
//
// Also: random junk in place of any value never ends in anything but faults with a place.

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMap, isPair, isScalar, type Pair, parseDocument, visit } from 'yaml'
import { readPipelineText } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { repositoryPath, shippedPipelines, soundText } from './pipeline-text.ts'

const texts = [
  soundText,
  ...shippedPipelines.map((path) => readFileSync(repositoryPath(path), 'utf8')),
]

type Range = { readonly from: number; readonly to: number }

/** Where the keys and the plain values of a YAML text stand. */
function rangesOf(text: string, part: 'key' | 'value'): readonly Range[] {
  const ranges: Range[] = []
  visit(parseDocument(text), {
    Pair: (_key, pair: Pair) => {
      const node = isPair(pair) ? pair[part] : null
      if (isScalar(node) && node.range) ranges.push({ from: node.range[0], to: node.range[1] })
    },
  })
  return ranges
}

/** One letter put in, taken out, doubled or swapped; never the same text. */
const mutateName = fc
  .record({ at: fc.nat(40), kind: fc.constantFrom('insert', 'delete', 'swap'), letter: fc.nat(25) })
  .map(({ at, kind, letter }) => (name: string): string => {
    const place = at % name.length
    const added = String.fromCharCode(97 + letter)
    if (kind === 'delete' && name.length > 1) return name.slice(0, place) + name.slice(place + 1)
    if (kind === 'swap' && name[place] !== name[place + 1] && place + 1 < name.length) {
      return name.slice(0, place) + name[place + 1] + name[place] + name.slice(place + 2)
    }
    return name.slice(0, place) + added + name.slice(place)
  })

const seed = Number(process.env.WEIR_TEST_SEED ?? Date.now() % 2 ** 31)

describe(`pipeline file, seed ${seed}`, () => {
  test('pipeline file - refuses any file in which the name of one key is mutated', () => {
    const everyKey = texts.flatMap((text) =>
      rangesOf(text, 'key').map((range) => ({ text, range })),
    )
    const property = fc.property(
      fc.constantFrom(...everyKey),
      mutateName,
      ({ text, range }, mutate) => {
        const mutated = mutate(text.slice(range.from, range.to))
        const changed = text.slice(0, range.from) + mutated + text.slice(range.to)
        const { definition, faults } = readPipelineText(changed)
        expect(definition).toBeNull()
        expect(faults.length).toBeGreaterThan(0)
      },
    )
    fc.assert(property, { seed, numRuns: 300 })
  })

  test('pipeline file - refuses any file in which one key stands twice', () => {
    for (const text of texts) {
      const document = parseDocument(text)
      const top = isMap(document.contents) ? document.contents.items : []
      for (const { key } of top) {
        const { faults } = readPipelineText(`${text}\n${key}: {}\n`)
        expect(faults.map((fault) => fault.expected)).toContain('each key once in its map')
      }
    }
  })

  test('pipeline file - answers any junk with faults that have a place, never with a crash', () => {
    const junk = fc.constantFrom(
      'null',
      '""',
      '-1',
      '1e400',
      '.nan',
      '[]',
      '{}',
      '[[]]',
      '{ a: 1 }',
      'x y',
      '~',
      'yes',
      '__proto__',
      '{ __proto__: 1 }',
      '[1d, 1d]',
      '"a|b"',
      '&a [*a]',
      '!!binary x',
    )
    const everyValue = texts.flatMap((text) =>
      rangesOf(text, 'value').map((range) => ({ text, range })),
    )
    const property = fc.property(fc.constantFrom(...everyValue), junk, ({ text, range }, value) => {
      const { definition, faults } = readPipelineText(
        text.slice(0, range.from) + value + text.slice(range.to),
      )
      expect(definition === null).toBe(faults.length > 0)
      for (const { position, found, expected } of faults) {
        expect(position.line).toBeGreaterThan(0)
        expect(position.column).toBeGreaterThan(0)
        expect(`${found}${expected}`).not.toMatch(/undefined|\[object/)
      }
    })
    fc.assert(property, { seed, numRuns: 300 })
  })
})
