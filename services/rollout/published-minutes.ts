// Which minutes of which trials stand in model.comparisons already.
//
// In: records of the topic in their order, minutes that are about to be written. Out: those of them
// that are new. Pure; nothing is refused. Invariants: minutes of a trial are written in their
// order, so its latest one says them all; a trial is told from an earlier one of the same two
// models by the epochs of its rosters, which are never lower than the one with which it began.

import type { ComparisonRecord } from './comparison-record.ts'
import type { Trial } from './trial.ts'

type Models = Pick<
  ComparisonRecord,
  'championName' | 'championVersion' | 'challengerName' | 'challengerVersion'
>

const pairOf = (record: Models): string =>
  JSON.stringify([
    record.championName,
    record.championVersion,
    record.challengerName,
    record.challengerVersion,
  ])

export function createPublishedMinutes(pipeline: string) {
  /** By pair of models and epoch, the start of the latest minute. */
  const latest = new Map<string, Map<number, number>>()

  const note = (record: ComparisonRecord): void => {
    if (record.pipeline !== pipeline) return
    const pair = pairOf(record)
    const epochs = latest.get(pair) ?? new Map<number, number>()
    latest.set(pair, epochs)
    const { controlEpoch, windowStart } = record
    epochs.set(controlEpoch, Math.max(windowStart, epochs.get(controlEpoch) ?? windowStart))
  }

  const leaveOut = (
    records: readonly ComparisonRecord[],
    { sinceEpoch }: Pick<Trial, 'sinceEpoch'>,
  ): readonly ComparisonRecord[] =>
    records.filter((record) => {
      for (const [epoch, windowStart] of latest.get(pairOf(record)) ?? []) {
        if (epoch >= sinceEpoch && windowStart >= record.windowStart) return false
      }
      return true
    })

  return { note, leaveOut }
}
