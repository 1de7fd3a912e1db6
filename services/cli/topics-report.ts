// The differences of `weir topics` in words: what apply does as a table, what it leaves or refuses
// as sentences, with the command that its owner would run.
//
// In: differences. Out: lines. Invariant: every difference is told, and a command stands on a line
// of its own, ready to be copied.

import type { TopicDifference } from '../adapters/kafka/topics/topic-differences.ts'
import { isDone } from '../adapters/kafka/topics/topic-steps.ts'

export function describeDifferences(differences: readonly TopicDifference[]): string[] {
  const ofAction = (action: TopicDifference['action']) =>
    differences.filter((one) => one.action === action)
  return [
    ...differenceTable(differences.filter(isDone)),
    ...section('Not changed, because its owner decides:', ofAction('leave')),
    ...section('Apply refuses everything because of:', ofAction('refuse')),
  ]
}

function section(title: string, differences: readonly TopicDifference[]): string[] {
  if (differences.length === 0) return []
  const lines = differences.flatMap(({ topic, setting, found, planned, reason, command }) => [
    `  ${topic}: ${setting} is ${found}, planned ${planned}. ${reason ?? ''}`.trimEnd(),
    ...(command === null ? [] : [`    ${command}`]),
  ])
  return [title, ...lines]
}

/** Columns as wide as their longest cell. */
function differenceTable(differences: readonly TopicDifference[]): string[] {
  if (differences.length === 0) return []
  const rows = differences.map((d) => [d.topic, d.setting, d.found, d.planned])
  const table = [['topic', 'setting', 'found', 'planned'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
