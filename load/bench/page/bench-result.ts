// A result: a case's figures with the place, the time and the code that they were taken with.
//
// In: figures. Out: one JSON object, on one line for machines, in docs/benchmarks/<name>.json to
// keep. Refused: a kept file that is not a result. Invariant: names are those of the cases' types;
// figures are rounded to six digits for reading, but counts and exactShare never (1 means all).

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { goldenDifferenceMax } from '../../../services/adapters/models/golden-vectors.ts'
import type { CodecCase } from '../cases/codec.ts'
import type { CrossoverCase } from '../cases/crossover.ts'
import type { DrainCase } from '../cases/drain.ts'
import type { FoldCase } from '../cases/fold.ts'
import type { IsolationCase } from '../cases/isolation.ts'
import type { LatencyCase } from '../cases/latency.ts'
import type { LimitCase } from '../cases/limit.ts'
import type { ProfileCase } from '../cases/profile.ts'
import type { ReplayCase } from '../cases/replay.ts'
import type { ReplayProfileCase } from '../cases/replay-profile.ts'
import type { RollbackCase } from '../cases/rollback.ts'
import type { SwapsCase } from '../cases/swaps.ts'
import type { VerdictsCase } from '../cases/verdicts.ts'
import { describeMachine, findCommit, type Machine } from '../measure/machine.ts'

export type BenchCase =
  | CodecCase
  | CrossoverCase
  | DrainCase
  | FoldCase
  | IsolationCase
  | LatencyCase
  | LimitCase
  | ProfileCase
  | ReplayCase
  | ReplayProfileCase
  | RollbackCase
  | SwapsCase
  | VerdictsCase

type Circumstances = {
  readonly pipeline: string
  /** How the stack came up: native, containers or endpoints; none where the case needs none. */
  readonly stack: string
  readonly date: string
  readonly machine: Machine
  readonly commit: string
}

export type BenchResult = BenchCase & Circumstances

export const resultsFolder = join(repositoryFolder, 'docs', 'benchmarks')
const digits = 6

/** Taken before the run, which would show in the machine's load. */
export function noteCircumstances({
  definition,
  stack,
}: {
  readonly definition: { readonly pipeline: string }
  readonly stack: { readonly kind: string }
}): Circumstances {
  return {
    pipeline: definition.pipeline,
    stack: stack.kind,
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    commit: findCommit(),
  }
}

export function formatResult(result: BenchResult, indent = 0): string {
  const round = (key: string, value: unknown): unknown =>
    typeof value !== 'number' || Number.isInteger(value) || key === 'exactShare'
      ? value
      : Number(value.toPrecision(digits))
  return JSON.stringify(result, round, indent)
}

/** What goes wrong when a case's records are wrong, in words; empty when all is well. */
export function findOffences(result: BenchCase): readonly string[] {
  return Object.entries(countOffences(result))
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${name}: ${count}, expected 0`)
}

function countOffences(result: BenchCase): Readonly<Record<string, number>> {
  switch (result.case) {
    case 'drain': {
      const { missing, duplicated, ordinalGaps } = result
      return { missing, duplicated, 'ordinal gaps': ordinalGaps }
    }
    case 'isolation':
    case 'latency':
    case 'swaps':
      return { lost: result.lost, duplicated: result.duplicated }
    case 'crossover': {
      const isOff = !(result.differenceMax <= goldenDifferenceMax)
      return { 'scores beyond 1e-5 of the CPU': isOff ? result.differenceMax : 0 }
    }
    case 'replay':
      return { 'rows that differ from SQL': result.sql?.differing ?? 0 }
    default:
      return {}
  }
}

/** Cases that say by themselves what they run. */
const withoutPipeline: readonly string[] = ['fold', 'rollback', 'verdicts']

/**
 * drain, drain-card-fraud, drain-2-processes: what is run otherwise than usual stands in the name.
 */
export function nameOf(result: BenchResult): string {
  const parts: string[] = [result.case]
  if (result.pipeline !== 'bench' && !withoutPipeline.includes(result.case))
    parts.push(result.pipeline)
  if (result.case === 'drain' && result.processes > 1) parts.push(`${result.processes}-processes`)
  return parts.join('-')
}

export function keepResult(result: BenchResult, folder = resultsFolder): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${nameOf(result)}.json`), `${formatResult(result, 2)}\n`)
}

export function readResults(folder = resultsFolder): readonly BenchResult[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.sort().map((name) => {
    const result = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Partial<BenchResult>
    if (result.case === undefined || result.machine === undefined) {
      throw new Error(`${join(folder, name)} is not a result: found no case or no machine in it`)
    }
    return result as BenchResult
  })
}
