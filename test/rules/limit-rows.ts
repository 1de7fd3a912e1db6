// The rows of docs/reference/limits.md, taken from the table of limits and the comments in it.
//
// In: the source of services/core/limits.ts. Out: name, value with its unit, reason. A limit
// without a comment of its own is refused: each ceiling states its reason.

import { readFileSync } from 'node:fs'
import { limits } from '../../services/core/limits.ts'

const KIB = 1024
const MIB = 1024 * KIB

export function limitRows(): string[][] {
  const source = readFileSync(new URL('../../services/core/limits.ts', import.meta.url), 'utf8')
  const reasons = new Map(
    [...source.matchAll(/\/\*\*\s((?:(?!\*\/)[\s\S])+?)\s\*\/\n {2}(\w+):/g)].map(
      ([, reason, name]) => [name!, reason!.replace(/(?:^|\s*\n)\s*\* /g, ' ').trim()],
    ),
  )
  return Object.entries(limits).map(([name, value]) => {
    const reason = reasons.get(name)
    if (reason === undefined) throw new Error(`limits.ts: ${name} has no reason above it`)
    return [`\`${name}\``, withUnit(name, value), reason]
  })
}

/** The unit stands in the name. */
function withUnit(name: string, value: number): string {
  if (/Bytes/.test(name)) return value % MIB === 0 ? `${value / MIB} MiB` : `${value / KIB} KiB`
  if (/Ms/.test(name)) return `${value.toLocaleString('en')} ms`
  return value.toLocaleString('en')
}
