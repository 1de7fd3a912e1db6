// The demo from beginning to end: a scorer under live traffic, watched from outside.
//
//   place ─► scorer ─► watch ─► traffic, a row each second ─► caught up ─► drained ─► settlement
//
// In: how long and how fast, who hears the lines, a signal to stop early. Out: the result with its
// faults. Refused: a stack, a model or a scorer that does not come up. Invariant: whatever happens,
// nothing that was started here is left running.

import { join } from 'node:path'
import { startSupervision } from '../../dev/stack/supervision.ts'
import { limits } from '../../services/core/limits.ts'
import { type ScorerProcess, startScorerProcess } from '../scorer/scorer-process.ts'
import { type DemoEnvironment, openDemoEnvironment, type Say } from './demo-environment.ts'
import { quantileOf } from './live-table.ts'
import { watchOutcomes } from './outcome-watch.ts'
import { findFaults, readLag, settle } from './settlement.ts'
import { type DemoResult, summaryLines } from './summary.ts'
import { sendTraffic, type Traffic, type TrafficOptions } from './traffic.ts'

type DemoOptions = {
  readonly seconds: number
  readonly rate: number
  readonly seed: number
  readonly pipelineFile: string
  readonly say: Say
  /** Ends the traffic early; what was sent is still settled. */
  readonly stop: AbortSignal
}

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { say, stop } = options
  const place = await openDemoEnvironment(options.pipelineFile, say)
  const supervision = startSupervision(place.logFolder)
  try {
    const scorer = await startScorerProcess({
      supervision,
      name: 'scorer',
      pipelineFile: options.pipelineFile,
      environment: place.environment,
      logFile: join(place.logFolder, `scorer-${process.pid}.log`),
    })
    await orStopped(scorer.untilReady(), stop)
    say(`scorer     ready; ${scorer.httpUrl}/metrics, its log is ${scorer.logFile}`)
    const watch = await orStopped(watchOutcomes(place.kafka, place.definition, place.groupId), stop)
    try {
      return await runTraffic({ ...options, place, scorer, watch })
    } finally {
      await watch.close()
    }
  } finally {
    await supervision.stop()
    await place.close()
  }
}

type Parts = TrafficOptions & { readonly place: DemoEnvironment }

async function runTraffic(parts: Parts): Promise<DemoResult> {
  const { place, scorer, watch, say } = parts
  const { kafka, definition, groupId, logFolder } = place
  const traffic = await sendTraffic(parts)
  const lag = await readLag(kafka, groupId, definition)
  const health = await scorer.health()
  const exitFaults = await drain(scorer)
  const settled = settle(traffic.sent, watch.totals(), lag)
  const faults = [...findFaults(settled, health?.streams.transactions ?? null), ...exitFaults]
  const result = composeResult(settled, traffic, faults)
  for (const line of summaryLines({ result, definition, logFolder, ...watch.examples() })) say(line)
  return result
}

function composeResult(
  settled: ReturnType<typeof settle>,
  { seconds, latenciesMs }: Traffic,
  faults: readonly string[],
): DemoResult {
  return {
    ...settled,
    seconds: Math.round(seconds * 10) / 10,
    eventsPerSecond: Math.round(settled.received / seconds),
    p50Ms: toTenths(quantileOf(0.5, latenciesMs)),
    p99Ms: toTenths(quantileOf(0.99, latenciesMs)),
    faults,
  }
}

const toTenths = (value: number | null): number | null =>
  value === null ? null : Math.round(value * 10) / 10

/** The scorer is told to stop as an orchestrator would tell it, and has to end well. */
async function drain(scorer: ScorerProcess): Promise<readonly string[]> {
  scorer.signal('SIGTERM')
  const how = await scorer.ended
  if (how === 'exited with code 0') return []
  return [`on SIGTERM the scorer ${how}, expected code 0 within ${limits.drainMsMax} ms`]
}

async function orStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(new Error('stopped before the traffic began'))
  if (stop.aborted) onAbort()
  stop.addEventListener('abort', onAbort)
  work.catch(() => undefined)
  try {
    return await Promise.race([work, stopped])
  } finally {
    stop.removeEventListener('abort', onAbort)
  }
}
