// The "did you mean" of every message about names: the known name nearest to a misspelled one.
//
// Comes in: a name and the names that exist. Goes out: the nearest one by edit distance (a swap of
// two neighbours counts as one edit), or null when nothing is near enough to be what was meant.
// Invariant: a name that exists is never suggested for itself, and ties go to the first in the
// list.

/** Edits that turn one text into the other: insert, delete, replace, swap two neighbours. */
export function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1]
      const above = rows[row - 1]!
      let cost = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + (isSame ? 0 : 1),
      )
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (row > 1 && column > 1 && isSwap) cost = Math.min(cost, rows[row - 2]![column - 2]! + 1)
      current.push(cost)
    }
    rows.push(current)
  }
  return rows[from.length]![to.length]!
}

/**
 * The known name within a third of the name's length in edits (at least 2), letter case ignored.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const lower = name.toLowerCase().slice(0, 80)
  let nearest: string | null = null
  let distanceMin = Math.max(2, Math.floor(lower.length / 3)) + 1
  for (const candidate of known) {
    if (candidate === name) continue
    const distance = editDistance(lower, candidate.toLowerCase())
    if (distance < distanceMin && distance < candidate.length) {
      nearest = candidate
      distanceMin = distance
    }
  }
  return nearest
}
