// `bench replay`: files through the stages into a run folder, with scores and with features alone.
//
// In: a pipeline file, how many transactions. Out: transactions per second (median of the runs),
// CPU per transaction, peak memory for this history and one of four times its length with the same
// entities, and what a SQL engine needs for the same features, where SQL can say them. Refused: a
// replay that fails. Invariants: each run is a process of its own; runs of both kinds alternate, so
// that a change of the machine's mood meets both; no row may differ from SQL's.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PipelineDefinition } from '../../../services/core/pipeline-definition.ts'
import { medianOf } from '../measure/quantiles.ts'
import { composeFeatureSql, findUnspeakable, type HistoryFiles } from '../verify/feature-sql.ts'
import { runSql, type SqlRun } from '../verify/sql-features.ts'
import { openReplayHistory } from './replay-history.ts'
import { type ReplayedOnce, replayOnce } from './replay-process.ts'

export type ReplayRate = {
  readonly eventsPerSecond: number
  readonly userMicrosPerEvent: number
  readonly systemMicrosPerEvent: number
  /** null where there is no /proc. */
  readonly rssMaxMb: number | null
  /** Of a history of longerBy times the length. */
  readonly longRssMaxMb: number | null
}

export type ReplayCase = {
  readonly case: 'replay'
  readonly events: number
  readonly runs: number
  readonly features: number
  readonly longerBy: number
  readonly featuresOnly: ReplayRate
  /** null where only features were asked for. */
  readonly scored: ReplayRate | null
  /** null where SQL has no words for a feature. */
  readonly sql: { readonly eventsPerSecond: number; readonly differing: number } | null
}

export type ReplayBenchOptions = {
  readonly definition: PipelineDefinition
  readonly pipelineFile: string
  readonly events: number
  readonly runs: number
  readonly isFeaturesOnly: boolean
  readonly say: (line: string) => void
}

const longerBy = 4

export async function runReplayBench(options: ReplayBenchOptions): Promise<ReplayCase> {
  const { definition, events, runs, isFeaturesOnly, say } = options
  const files = openReplayHistory(events, say)
  const longFiles = openReplayHistory(events * longerBy, say)
  const kinds = isFeaturesOnly ? [false] : [false, true]
  const measured = { features: [] as ReplayedOnce[], scored: [] as ReplayedOnce[] }
  const sqlRuns: SqlRun[] = []
  for (let run = 1; run <= runs; run++) {
    for (const isScoring of kinds) {
      const one = await replayIn(options, files, isScoring, async (replayed, folder) => {
        if (!isScoring) sqlRuns.push(...(await runSqlBeside(definition, files, replayed, folder)))
      })
      measured[isScoring ? 'scored' : 'features'].push(one)
      const rate = Math.round(one.events / one.seconds)
      say(`run ${run} of ${runs}, ${isScoring ? 'scored' : 'features'}: ${rate} transactions/s`)
    }
  }
  const rateOf = async (replayed: readonly ReplayedOnce[], isScoring: boolean) => {
    say(`${longerBy} times the history, ${isScoring ? 'scored' : 'features'}`)
    return summarize(replayed, await replayIn(options, longFiles, isScoring))
  }
  return {
    case: 'replay',
    events,
    runs,
    features: definition.features.length,
    longerBy,
    featuresOnly: await rateOf(measured.features, false),
    scored: isFeaturesOnly ? null : await rateOf(measured.scored, true),
    sql: sqlRuns.length === 0 ? null : summarizeSql(sqlRuns, events),
  }
}

/** A replay in a folder that is gone afterwards; `look` sees it before. */
async function replayIn(
  { pipelineFile }: ReplayBenchOptions,
  files: HistoryFiles,
  isScoring: boolean,
  look: (replayed: ReplayedOnce, folder: string) => Promise<void> = async () => undefined,
): Promise<ReplayedOnce> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  try {
    const replayed = await replayOnce({ pipelineFile, files, isScoring, folder })
    await look(replayed, folder)
    return replayed
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runSqlBeside(
  definition: PipelineDefinition,
  files: HistoryFiles,
  { parquet }: ReplayedOnce,
  folder: string,
): Promise<readonly SqlRun[]> {
  if (findUnspeakable(definition).length > 0) return []
  const features = definition.features.map(({ name }) => name)
  return [await runSql({ sql: composeFeatureSql(definition, files), features, parquet, folder })]
}

function summarize(replayed: readonly ReplayedOnce[], long: ReplayedOnce): ReplayRate {
  const median = (read: (one: ReplayedOnce) => number) => medianOf(replayed.map(read))
  const peaks = replayed.map(({ footprint }) => footprint.rssMaxMb)
  return {
    eventsPerSecond: median(({ events, seconds }) => events / seconds),
    userMicrosPerEvent: median(({ events, footprint }) => footprint.userMicros / events),
    systemMicrosPerEvent: median(({ events, footprint }) => footprint.systemMicros / events),
    rssMaxMb: peaks.some((peak) => peak === null) ? null : medianOf(peaks.map(Number)),
    longRssMaxMb: long.footprint.rssMaxMb,
  }
}

const summarizeSql = (runs: readonly SqlRun[], events: number) => ({
  eventsPerSecond: medianOf(runs.map(({ seconds }) => events / seconds)),
  differing: Math.max(...runs.map(({ differing }) => differing)),
})
