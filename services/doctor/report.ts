// Findings as people read them: worst first within each system, what is mended
// alike together, and one line that sums up.
//
// In: findings, and a forecast where there is one. Out: lines of text; the exit code. Invariant:
// the exit code is that of the worst finding: 0 ok, 1 unknown or warning, 2 fatal.

import { type Finding, type Level, levels, systems } from './finding.ts'
import type { MemoryForecast } from './predict-memory.ts'
import { MEMORY_ROOM } from './redis-checks.ts'
import { inBytes } from './units.ts'

const marks: Readonly<Record<Level, string>> = {
  ok: 'ok',
  unknown: '?',
  warning: 'WARN',
  fatal: 'FATAL',
}
/** What is not known may be a warning; were it fatal, a scorer would find it by itself. */
const codes: Readonly<Record<Level, number>> = { ok: 0, unknown: 1, warning: 1, fatal: 2 }

export function worstOf(findings: readonly Finding[]): Level {
  const worst = Math.max(0, ...findings.map(({ level }) => levels.indexOf(level)))
  return levels[worst]!
}

export const verdictCodeOf = (findings: readonly Finding[]): number => codes[worstOf(findings)]

export function findingLines(findings: readonly Finding[]): readonly string[] {
  const lines = systems.flatMap((system) => {
    const own = findings.filter((finding) => finding.system === system)
    if (own.length === 0) return []
    const groups = Map.groupBy(own, groupOf)
    return [system, ...[...groups.values()].sort(worstFirst).flatMap(linesOf), '']
  })
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length
  const sum =
    `${count('fatal')} fatal, ${count('warning')} warnings, ` +
    `${count('unknown')} not looked at, ${count('ok')} ok.`
  return [...lines, sum]
}

/** What was not looked at for one reason stands in one line, whatever the check. */
const groupOf = ({ level, check, found }: Finding): string =>
  level === 'unknown' ? `${level} ${found}` : `${level} ${check}`

/** What one check says at one level; of what was not looked at, all checks with one reason. */
type Group = readonly Finding[]

const worstFirst = ([a]: Group, [b]: Group): number =>
  levels.indexOf(b!.level) - levels.indexOf(a!.level)

/** What is as it should be takes one line; what is not says why it matters and what to change. */
function linesOf(group: Group): readonly string[] {
  const { level, check, why, found: reason } = group[0]!
  const mark = `  ${marks[level].padEnd(6)}`
  if (level === 'unknown') {
    return [`${mark}${[...new Set(group.map((row) => row.check))].join(', ')}: ${reason}`]
  }
  const head = `${mark}${check}: `
  if (level === 'ok') return [head + group.map(({ found }) => found).join(', ')]
  const changes = Map.groupBy(group, ({ change }) => change)
  return [
    head + why,
    ...[...changes].flatMap(([change, alike]) => [
      ...alike.map(({ found }) => `        found   ${found}`),
      `        change  ${change}`,
    ]),
  ]
}

export function forecastLines({ kinds, bytes }: MemoryForecast): readonly string[] {
  const rows = kinds.map((kind) => [
    kind.kind,
    kind.keys.toLocaleString('en'),
    String(Math.round(kind.rows)),
    String(Math.round(kind.tiles)),
    inBytes(kind.bytesPerKey),
    inBytes(kind.bytes),
  ])
  const table = [['log', 'keys', 'rows', 'tiles', 'a key', 'in all'], ...rows]
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)))
  const lines = table.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  '),
  )
  const advice = `${inBytes(bytes)}; with room to work, maxmemory ${inBytes(bytes * MEMORY_ROOM)}`
  return ['memory of Redis', ...lines.map((line) => `  ${line}`), `  ${advice}`, '']
}
