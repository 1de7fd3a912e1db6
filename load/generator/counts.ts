/**
 * What was sent, counted message by message, so that a test can check conservation.
 *
 * In: messages as they go out. Out: the counts. Invariant:
 *
 *   messages on the transactions topic = transactions + duplicates + poison
 *
 * where transactions are distinct and include the late ones.
 */
import type { Message } from './disturbances.ts'
import type { PoisonName } from './poison.ts'

export interface Counts {
  transactions: number
  late: number
  duplicates: number
  poison: number
  poisonByKind: Partial<Record<PoisonName, number>>
  labels: number
}

export function createCounts(): Counts {
  return { transactions: 0, late: 0, duplicates: 0, poison: 0, poisonByKind: {}, labels: 0 }
}

export function countMessage(counts: Counts, { kind, poison }: Message): void {
  if (kind === 'label') counts.labels++
  else if (kind === 'duplicate') counts.duplicates++
  else if (poison !== null) {
    counts.poison++
    counts.poisonByKind[poison] = (counts.poisonByKind[poison] ?? 0) + 1
  } else counts.transactions++
  if (kind === 'late') counts.late++
}

/** What the transactions topic received. */
export function countReceived(counts: Counts): number {
  return counts.transactions + counts.duplicates + counts.poison
}
