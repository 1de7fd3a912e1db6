// The pass-through limit as a case of its own, and as the measure beside the others.
//
// In: a place whose input topic is filled. Out: what kafkajs reaches when it copies those records
// in the scorer's transactions, in a process of its own, as cold as a scorer's. Refused: a copy
// that stops. Invariant: accelerated is the client that the scorer uses; stock is the same without
// its replacements.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import type { PassThroughResult } from '../environment/pass-through.ts'

export type LimitCase = {
  readonly case: 'limit'
  readonly events: number
  readonly limitEventsPerSecond: number
  readonly stockEventsPerSecond: number
  readonly ratio: number
  readonly cpuMicrosPerEvent: { readonly accelerated: number; readonly stock: number }
}

const program = join(repositoryFolder, 'load', 'bench', 'environment', 'pass-through-main.ts')

export async function runLimit(place: BenchEnvironment, events: number): Promise<LimitCase> {
  // Taking turns, so that a busy machine slows both.
  const runs: Record<'stock' | 'accelerated', PassThroughResult[]> = { stock: [], accelerated: [] }
  for (const way of ['stock', 'accelerated', 'accelerated', 'stock'] as const) {
    runs[way].push(await measureLimit(place, events, way))
  }
  const limitEventsPerSecond = rateOf(runs.accelerated)
  const stockEventsPerSecond = rateOf(runs.stock)
  return {
    case: 'limit',
    events,
    limitEventsPerSecond,
    stockEventsPerSecond,
    ratio: limitEventsPerSecond / stockEventsPerSecond,
    cpuMicrosPerEvent: { accelerated: cpuOf(runs.accelerated), stock: cpuOf(runs.stock) },
  }
}

/** Twice, because a copy is short beside a drain and meets the machine's noise in one place. */
export async function measureLimits(
  place: BenchEnvironment,
  events: number,
): Promise<PassThroughResult[]> {
  return [await measureLimit(place, events), await measureLimit(place, events)]
}

async function measureLimit(
  place: BenchEnvironment,
  events: number,
  way: 'stock' | 'accelerated' = 'accelerated',
): Promise<PassThroughResult> {
  const brokers = place.stack.kafkaBrokers.join(',')
  const input = place.definition.topics.transactions
  const copy = ['--input', input, '--records', String(events)]
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [program, '--brokers', brokers, '--partitions', String(place.partitions), ...copy],
    { env: { ...process.env, WEIR_KAFKAJS_STOCK: way === 'stock' ? '1' : '0' } },
  )
  process.stderr.write(stderr)
  return JSON.parse(stdout) as PassThroughResult
}

/** All records over all seconds: the long run weighs more. */
export function rateOf(runs: readonly PassThroughResult[]): number {
  const records = runs.reduce((sum, run) => sum + run.records, 0)
  return records / runs.reduce((sum, run) => sum + run.seconds, 0)
}

const cpuOf = (runs: readonly PassThroughResult[]): number =>
  runs.reduce((sum, { cpuMicrosPerRecord }) => sum + cpuMicrosPerRecord, 0) / runs.length
