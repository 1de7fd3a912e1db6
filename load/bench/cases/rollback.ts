// `bench rollback`: from a challenger's first failure to the first event that is scored without it.
//
//   bad challenger into the shadow ─► first event it fails for ─► weir rollout sees it ─► roster ─► first event without it
//
// In: a place with a champion and a challenger that gives no scores. Out: the time between the two
// events' `scoredTime`, by round. The rollout service is the real one, in this process; scorer and
// servers are processes. Refused: a scorer or a service that ends. Invariant: each round ends with
// the service's change, never by hand.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { openRosterLedger } from '../../../services/adapters/kafka/roster/roster-ledger.ts'
import { readSettings } from '../../../services/core/settings.ts'
import { rolloutAuthor } from '../../../services/rollout/run-rollout.ts'
import { runRollout } from '../../../services/rollout/start-rollout.ts'
import { startOpenLoop } from '../../generator/open-loop.ts'
import { benchPreset } from '../../generator/options.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { environmentOf, startBenchScorers } from '../environment/bench-scorers.ts'
import { type ModelShelf, makeModelShelf, readPipelineFor } from '../environment/model-shelf.ts'
import { silentLogger } from '../environment/pass-through.ts'
import { medianOf } from '../measure/quantiles.ts'
import { watchRecords } from '../measure/visible-records.ts'
import { openDecoder } from '../verify/reference-vectors.ts'

export type RollbackCase = {
  readonly case: 'rollback'
  readonly rate: number
  readonly rounds: number
  /**
   * From the first event without the challenger's score to the first one scored under the roster
   * without it.
   */
  readonly faultToRollbackMs: { readonly median: number; readonly max: number }
  /** Until the verdict, by the clock of the service. */
  readonly faultToVerdictMs: { readonly median: number; readonly max: number }
  /** Events that were scored beside the failing challenger, in all rounds. */
  readonly eventsBeside: number
}

export type RollbackOptions = {
  readonly rate: number
  readonly rounds: number
  readonly say: (line: string) => void
}

type Scored = { readonly scoredTime: number; readonly controlEpoch: number }

const name = 'trees'
const bad = { name, version: '2' }
const warmUpMs = 5000
const pollMs = 10
const roundMsMax = 60_000
const secondsMax = 3600

export function openRollbackShelf(): ModelShelf {
  const fixture = (folder: string) =>
    join(repositoryFolder, 'test', 'fixtures', 'models', folder, '1')
  const pipelineFile = join(repositoryFolder, 'load', 'bench', 'pipelines', 'rollback.yaml')
  return makeModelShelf({
    name,
    versions: { 1: fixture('trees'), 2: fixture('unbounded') },
    writePipeline: readPipelineFor(pipelineFile, name),
  })
}

export async function runRollback(
  place: BenchEnvironment,
  { rate, rounds, say }: RollbackOptions,
): Promise<RollbackCase> {
  const { definition, kafka, registry } = place
  const ledger = openRosterLedger({ kafka, registry, definition })
  const decode = await openDecoder<Scored>(place, 'scored-transaction', definition.topics.scored)
  const epochs = new Map<number, { firstMs: number; events: number }>()
  const scorers = await startBenchScorers(place, 1)
  const reader = await watchRecords(place, (values) => {
    for (const value of values) {
      const { controlEpoch, scoredTime } = decode(value)
      const seen = epochs.get(controlEpoch)
      if (seen === undefined) epochs.set(controlEpoch, { firstMs: scoredTime, events: 1 })
      else seen.events++
    }
  })
  const stop = new AbortController()
  const service = runRollout(
    {
      definition,
      settings: readSettings({ ...environmentOf(place), WEIR_ROLLOUT_PORT: '0' }),
      logger: silentLogger,
      tell: () => undefined,
    },
    stop.signal,
  )
  const untilSeen = async (epoch: number): Promise<number> => {
    const deadlineMs = Date.now() + roundMsMax
    for (;;) {
      const seen = epochs.get(epoch)
      if (seen !== undefined) return seen.firstMs
      if (Date.now() > deadlineMs) throw new Error(`no event was scored under epoch ${epoch}`)
      await pause(pollMs)
    }
  }
  const round = async () => {
    const author = { who: 'bench', why: 'a model without scores', whenMs: Date.now() }
    const { after } = await ledger.change(() => ({ action: 'shadow', model: bad }), {
      author,
      epoch: null,
    })
    const faultMs = await untilSeen(after.epoch)
    const backMs = await untilSeen(after.epoch + 1)
    return { epoch: after.epoch, faultMs, backMs }
  }
  try {
    await scorers.untilFirstClaim()
    const { days: _, ...world } = benchPreset
    const loop = await startOpenLoop({
      brokers: place.stack.kafkaBrokers,
      transactionsTopic: definition.topics.transactions,
      labelsTopic: null,
      schemaIds: place.schemaIds,
      rate,
      seconds: secondsMax,
      generator: world,
    })
    const live = async () => {
      await pause(warmUpMs)
      const found = []
      for (let i = 0; i < rounds; i++) {
        found.push(await round())
        say(`round ${i + 1}: ${found.at(-1)!.backMs - found.at(-1)!.faultMs} ms`)
      }
      return found
    }
    const ended = service.then(() => Promise.reject(new Error('the rollout service ended')))
    const found = await Promise.race([live(), scorers.failed, reader.failed, ended])
    await loop.stop()
    const { steps } = await ledger.read()
    const changedAt = (epoch: number): number => {
      const { after } = steps.find((step) => step.after.epoch === epoch)!
      if (after.who !== rolloutAuthor) throw new Error(`epoch ${epoch} was made by ${after.who}`)
      return after.whenMs
    }
    return {
      case: 'rollback',
      rate,
      rounds,
      faultToRollbackMs: summarise(found.map(({ faultMs, backMs }) => backMs - faultMs)),
      faultToVerdictMs: summarise(
        found.map(({ epoch, faultMs }) => changedAt(epoch + 1) - faultMs),
      ),
      eventsBeside: found.reduce((sum, { epoch }) => sum + (epochs.get(epoch)?.events ?? 0), 0),
    }
  } finally {
    stop.abort()
    await service.catch(() => undefined)
    await reader.stop()
    await scorers.stop()
  }
}

const summarise = (values: readonly number[]) => ({
  median: medianOf(values),
  max: Math.max(...values),
})
