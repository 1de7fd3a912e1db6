// The scorer, assembled: adapters plugged into the pipeline, the pipeline between the lanes.
//
// In: a pipeline definition and the settings of the place. Out: a running scorer with its health
// server, and `drain`. Refused at start: whatever an adapter refuses (no broker, no registry, a model
// that does not fit); nothing is left open then. Invariant: open-scoring.ts is the only place that knows
// all adapters of the live path; here its surroundings are added.

import packageJson from '../../package.json' with { type: 'json' }
import { startHealthServer } from '../adapters/http/health-server.ts'
import { createReadiness } from '../adapters/http/readiness.ts'
import { acceleration } from '../adapters/kafka/client/kafka-client.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { createObserver, type Snapshot } from '../adapters/prometheus/observer.ts'
import { systemClock } from '../core/clock.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { redactSettings, type Settings } from '../core/settings.ts'
import { createClosers } from '../environment/closers.ts'
import { openKafka } from '../environment/open-environment.ts'
import { type Observe, observeNothing } from '../pipeline/observe/signals.ts'
import { openScoring } from './open-scoring.ts'

type Scorer = {
  readonly httpUrl: string
  readonly snapshot: () => Snapshot
  /** Resolves once drained; rejects with what ended the scorer against its will. */
  readonly ended: Promise<void>
  readonly drain: (reason: string) => Promise<void>
}

export type ScorerOptions = {
  /** Hears every signal after the scorer's own observers. */
  readonly watch?: Observe
}

export async function startScorer(
  definition: PipelineDefinition,
  settings: Settings,
  { watch = observeNothing }: ScorerOptions = {},
): Promise<Scorer> {
  const startedMs = performance.now()
  const { logLevel: level, instanceId: instance } = settings
  const logger = createLogger({ level, name: 'weir-scorer', instance })
  const observer = createObserver({ logger, build: describeBuild(definition, settings) })
  const readiness = createReadiness({
    clock: systemClock,
    requiredSystems: ['kafka', 'redis', 'registry'],
  })
  const observe: Observe = (signal) => {
    observer.observe(signal)
    readiness.observe(signal)
    watch(signal)
  }
  const closers = createClosers((error) =>
    logger.error({ error }, 'a part of the scorer did not close'),
  )
  try {
    const { snapshot } = observer
    const http = await startHealthServer({
      ...settings.http,
      registry: observer.registry,
      readiness,
      snapshot,
    })
    closers.add(http.close)
    const { conductor, ended, fail } = await openScoring({
      definition,
      settings,
      // Two clients: kafkajs shares a map of committed offsets between what one client makes, and a
      // producer marks an offset in it before the commit.
      consumers: openKafka(settings, logger, 'scorer'),
      producers: openKafka(settings, logger, 'scorer'),
      logger,
      observe,
      add: closers.add,
    })
    observe({
      kind: 'started',
      detail: {
        pipeline: definition.pipeline,
        pipelineHash: definition.hash,
        http: http.url,
        kafkajs: acceleration,
        settings: redactSettings(settings),
      },
    })
    observer.watchInFlight(conductor.eventsInFlight)
    await conductor.start()
    let draining: Promise<void> | null = null
    const drain = async (reason: string): Promise<void> => {
      observe({ kind: 'draining', reason })
      await conductor.drain()
      await closers.closeAll()
      observe({ kind: 'stopped', durationMs: performance.now() - startedMs })
      fail(null)
    }
    return {
      httpUrl: http.url,
      snapshot,
      ended,
      drain: (reason) => (draining ??= drain(reason)),
    }
  } catch (error) {
    await closers.closeAll()
    throw error
  }
}

function describeBuild({ pipeline, hash }: PipelineDefinition, { commit }: Settings) {
  return { version: packageJson.version, commit, pipeline, pipelineHash: hash }
}
