// A user's cost table: YAML or JSON with what an alert costs and a missed fraud loses.
//
//   reviewMinor: 300        one look by an analyst, minor units
//   falseBlockMinor: 1500   one genuine customer turned away, minor units
//   lostShare: 1            share of a missed fraud's amount that is lost, 0 to 1
//
// In: a path. Out: the three numbers. Refused with WEIR_FILE_INVALID, all faults at once: a file
// that cannot be read, other keys, a missing key, a number out of range. Invariant: nothing is
// defaulted.

import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { WeirError } from '../../core/errors.ts'

const ranges = {
  reviewMinor: Number.MAX_SAFE_INTEGER,
  falseBlockMinor: Number.MAX_SAFE_INTEGER,
  lostShare: 1,
} as const
type Key = keyof typeof ranges
const keys = Object.keys(ranges) as Key[]

export function readCostFile(path: string): Readonly<Record<Key, number>> {
  const table = readTable(path)
  const unknown = Object.keys(table).filter((key) => !keys.includes(key as Key))
  const faults = [
    ...unknown.map((key) => `found the key ${key}, expected only ${keys.join(', ')}`),
    ...keys
      .filter((key) => !isInRange(table[key], ranges[key]))
      .map((key) => {
        const found = table[key] === undefined ? 'nothing' : JSON.stringify(table[key])
        return `${key}: found ${found}, expected a number from 0 to ${ranges[key]}`
      }),
  ]
  if (faults.length > 0) throw refuse(path, faults.join('; '))
  return table as Record<Key, number>
}

const isInRange = (value: unknown, most: number): boolean =>
  typeof value === 'number' && value >= 0 && value <= most

function readTable(path: string): Readonly<Record<string, unknown>> {
  let found: unknown
  try {
    found = parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw refuse(path, (cause as Error).message.split('\n')[0]!, cause)
  }
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) {
    return found as Record<string, unknown>
  }
  throw refuse(path, `found no map, expected ${keys.join(', ')}`)
}

const refuse = (path: string, what: string, cause?: unknown): WeirError =>
  new WeirError('WEIR_FILE_INVALID', `--costs ${path}: ${what}.`, { cause })
