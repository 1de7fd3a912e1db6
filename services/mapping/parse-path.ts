// The way to a value inside a message or row, as the pipeline file writes it.
//
//   amount    card.holder.id    items[0].sku    metadata."customer.id"    payload.$json.id
//
// In: the text. Out: steps: names, indexes, and `$json`, which reads the text that stands there as
// JSON. A name with a dot, a blank, a bracket or a quote stands in double quotes, with \" and \\
// inside. Refused, in words: an empty step, an index that is none, quotes that do not end.

import type { PathStep } from '../core/input-mapping.ts'

const NAME = /[^.[\]"]+/y
const QUOTED = /"((?:[^"\\]|\\["\\])*)"/y
const INDEX = /\[(\d{1,6})\]/y

/** The steps, or the fault in words. */
export function parsePath(text: string): readonly PathStep[] | string {
  const steps: PathStep[] = []
  let at = 0
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) return null
    at += match[0].length
    return match[1] ?? match[0]
  }
  while (at < text.length) {
    const isFirst = steps.length === 0
    const index = take(INDEX)
    if (index !== null) {
      steps.push({ kind: 'index', index: Number(index) })
      continue
    }
    if (!isFirst && text[at++] !== '.') return `expected a dot or [n] at character ${at}`
    const quoted = take(QUOTED)
    const name = quoted?.replaceAll(/\\(["\\])/g, '$1') ?? take(NAME)
    if (name === null) return `expected a name at character ${at + 1}`
    steps.push(quoted === null && name === '$json' ? { kind: 'json' } : { kind: 'name', name })
  }
  return steps.length === 0 ? 'expected a path' : steps
}
