// The scorer, assembled: adapters plugged into the pipeline, the pipeline between the lanes.
//
// In: a pipeline definition and the settings of the place. Out: a running scorer with its health
// server, and `drain`. While something outside is away the start waits, and the health server says
// for what. Refused at start: what waiting does not help (a place or a model that does not fit);
// nothing is left open then. Invariant: open-scoring.ts is the only place that knows all adapters
// of the live path; here its surroundings are added.

import packageJson from '../../package.json' with { type: 'json' }
import { startHealthServer } from '../adapters/http/health-server.ts'
import { createReadiness } from '../adapters/http/readiness.ts'
import { type BrokerWatch, watchBrokers } from '../adapters/kafka/client/broker-watch.ts'
import { acceleration } from '../adapters/kafka/client/kafka-client.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { createObserver, type Observer, type Snapshot } from '../adapters/prometheus/observer.ts'
import { systemClock } from '../core/clock.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { redactSettings, type Settings } from '../core/settings.ts'
import { openKafka } from '../environment/open-environment.ts'
import { isVitalAway } from '../pipeline/observe/process-state.ts'
import { type Observe, observeNothing } from '../pipeline/observe/signals.ts'
import { openScoring, type Pipeline, type ScoringOptions } from './open-scoring.ts'
import { openWhenThere } from './open-when-there.ts'

export type Scorer = {
  readonly httpUrl: string
  readonly snapshot: () => Snapshot
  /** Resolves once drained; rejects with what ended the scorer against its will. */
  readonly ended: Promise<void>
  readonly drain: (reason: string) => Promise<void>
  /** Tells what nobody handled, and drains all the same; never rejects. */
  readonly giveUp: (error: Error) => Promise<void>
}

export type ScorerOptions = {
  /** Hears every signal after the scorer's own observers. */
  readonly watch?: Observe
  /** Ends a start that waits for what is away; a scorer that has started is drained instead. */
  readonly signal?: AbortSignal
}

export async function startScorer(
  definition: PipelineDefinition,
  settings: Settings,
  { watch = observeNothing, signal = new AbortController().signal }: ScorerOptions = {},
): Promise<Scorer> {
  const around = await openSurroundings(definition, settings, watch)
  const { observer, observe, http, tell, close } = around
  const begin = async ({ conductor }: Pipeline): Promise<void> => {
    observe({ kind: 'started', detail: describeStart(definition, settings, http.url) })
    observer.watchInFlight(conductor.eventsInFlight)
    try {
      await conductor.start()
    } catch (error) {
      await conductor.drain().catch(tell)
      throw error
    }
  }
  const open = (add: ScoringOptions['add']) => openLive(definition, settings, { ...around, add })
  try {
    const start = { open, begin, settings, observe, tell, signal }
    const { opened, closeAll } = await openWhenThere(start)
    const { conductor, ended, fail } = opened
    let draining: Promise<void> | null = null
    const drain = async (reason: string): Promise<void> => {
      observe({ kind: 'draining', reason })
      await conductor.drain()
      await close(closeAll)
      fail(null)
    }
    const drainOnce = (reason: string): Promise<void> => (draining ??= drain(reason))
    return {
      httpUrl: http.url,
      snapshot: observer.snapshot,
      ended,
      drain: drainOnce,
      giveUp: async (error) => {
        const { message: detail, stack } = error
        observe({ kind: 'failed', code: 'WEIR_INTERNAL_INVARIANT', detail, stack })
        await drainOnce('something failed and nobody handled it').catch(tell)
      },
    }
  } catch (error) {
    if (signal.aborted) observe({ kind: 'draining', reason: String(signal.reason) })
    await close(async () => undefined)
    throw error
  }
}

/** What is there before anything is opened, so that the start itself can be watched. */
async function openSurroundings(
  definition: PipelineDefinition,
  settings: Settings,
  watch: Observe,
) {
  const startedMs = performance.now()
  const { logLevel: level, instanceId: instance } = settings
  const logger = createLogger({ level, name: 'weir-scorer', instance })
  const observer = createObserver({ logger, build: describeBuild(definition, settings) })
  const { registry, snapshot, state: readState } = observer
  const readiness = createReadiness({
    clock: systemClock,
    readState,
    requiredSystems: ['kafka', 'redis', 'registry', 'mlflow'],
  })
  const observe: Observe = (signal) => {
    observer.observe(signal)
    watch(signal)
  }
  const brokers = watchBrokers(observe)
  const http = await startHealthServer({ ...settings.http, registry, readiness, snapshot })
  const tell = (error: unknown): void =>
    logger.error({ error }, 'a part of the scorer did not close')
  const close = async (closeRest: () => Promise<void>): Promise<void> => {
    brokers.close()
    await closeRest()
    await http.close().catch(tell)
    observe({ kind: 'stopped', durationMs: performance.now() - startedMs })
  }
  return { logger, observer, observe, brokers, http, tell, close }
}

type Surroundings = Pick<ScoringOptions, 'logger' | 'observe' | 'add'> & {
  readonly observer: Observer
  readonly brokers: BrokerWatch
}

/**
 * Two clients: kafkajs shares a map of committed offsets between what one client makes, and a
 * producer marks an offset in it before the commit.
 */
function openLive(
  definition: PipelineDefinition,
  settings: Settings,
  { logger, observer, observe, add, brokers: watch }: Surroundings,
): Promise<Pipeline> {
  const openClient = () => openKafka(settings, logger, 'scorer', { watch })
  const clients = { consumers: openClient(), producers: openClient() }
  const isOutsideAway = () => isVitalAway(observer.state())
  return openScoring({
    definition,
    settings,
    ...clients,
    logger,
    watch,
    observe,
    add,
    isOutsideAway,
  })
}

const describeStart = (definition: PipelineDefinition, settings: Settings, http: string) => ({
  pipeline: definition.pipeline,
  pipelineHash: definition.hash,
  http,
  kafkajs: acceleration,
  settings: redactSettings(settings),
})

function describeBuild({ pipeline, hash }: PipelineDefinition, { commit }: Settings) {
  return { version: packageJson.version, commit, pipeline, pipelineHash: hash }
}
