// Wanted values out of a message that is JSON.
//
// In: paths; later bytes, and where the JSON begins in them (0 on a plain topic, behind the
// registry's prefix of 5 bytes with JSON Schema). Out: raw values in the order of the paths, read
// with one JSON.parse; whole numbers keep their digits. A byte order mark is stepped over. Refused
// (thrown, never with a part of the value): bytes that are no UTF-8, and whatever is no JSON
// object. Invariant: no two different texts become one, so bytes are never replaced.

import { isUtf8 } from 'node:buffer'
import type { PathStep } from '../core/input-mapping.ts'
import { compileFill, wantsOf } from './compile-path.ts'
import { parseExactJson } from './exact-json.ts'
import type { ReadRaws } from './read-raws.ts'

const byteOrderMark = 0xfeff

export function projectJson(paths: readonly (readonly PathStep[])[]): ReadRaws {
  const fill = compileFill(wantsOf(paths))
  const blank: readonly unknown[] = paths.map(() => undefined)
  return (bytes, offset) => {
    const raws = blank.slice()
    fill(readObject(bytes.subarray(offset)), raws)
    return raws
  }
}

function readObject(body: Buffer): object {
  if (!isUtf8(body)) throw new Error('the value is no UTF-8 text')
  const text = body.toString('utf8')
  let value: unknown
  try {
    value = parseExactJson(text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text)
  } catch {
    value = null
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new Error('the value is no JSON object')
}
