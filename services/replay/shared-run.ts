// `weir replay` with several processes: score into topics of the run, collect them, or discard
// them.
//
// In: the pipeline file, the run's name, what to read. Out: topics of the run, or its folder, or
// nothing left of it. Progress goes to stderr once a second. Read of the environment: the way to
// brokers, registry and Redis, the prefix of the topics that are read, the replicas of those that
// are made; never the live group or key prefix. Refused: what the entry points refuse.

import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../adapters/pipeline-file/pipeline-manifest.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition, TopicNames } from '../core/pipeline-definition.ts'
import { readSettings, type Settings } from '../core/settings.ts'
import { openInputDecoders, openOutputDecoder } from '../environment/open-decoders.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import type { RejectedRecord, ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import { type RunProgress, scoreRun } from '../scorer/score-run.ts'
import { type CollectOptions, collectRun, discardRun } from './collect-run.ts'
import { isolateRun, type RunTerms } from './isolated-run.ts'
import type { ReplayReport } from './run-records.ts'
import { findHistory, type TopicHistory } from './topic-source.ts'

export type HistoryEdges = Omit<TopicHistory, 'kafka' | 'decoders'>

type Wanted = {
  readonly edgesOf: (topics: TopicNames) => HistoryEdges
  readonly signal: AbortSignal
}

export async function scoreIntoTopics(
  pipelineFile: string,
  name: string,
  { edgesOf, signal }: Wanted,
): Promise<void> {
  const { settings, definition } = readPlace(pipelineFile)
  const { topics } = definition
  await scoreRun({
    run: isolateRun(name, definition),
    settings,
    liveTopics: topics,
    models: listModels(definition),
    findRanges: (kafka) => findHistory({ kafka, ...edgesOf(topics) }, definition),
    logger: openLogger('error', settings),
    signal,
    onProgress: createProgress(),
  })
  process.stderr.write(
    `run ${name} is scored: weir replay --collect ${name} --out <folder> makes its folder\n`,
  )
}

export async function collectShared(
  pipelineFile: string,
  name: string,
  options: CollectOptions,
): Promise<ReplayReport> {
  const { settings, definition } = readPlace(pipelineFile)
  const registry = openRegistry(settings)
  const { topics } = definition
  try {
    return await collectRun(
      {
        ...openRunEnvironment(name, definition, settings),
        models: listModels(definition),
        decoders: {
          ...openInputDecoders(registry, definition),
          scored: openOutputDecoder<ScoredTransactionRecord>(
            registry,
            'scored-transaction',
            topics.scored,
          ),
          rejected: openOutputDecoder<RejectedRecord>(
            registry,
            'rejected-transaction',
            topics.rejected,
          ),
        },
      },
      options,
    )
  } finally {
    await registry.close()
  }
}

export async function discardShared(pipelineFile: string, name: string): Promise<void> {
  const { settings, definition } = readPlace(pipelineFile)
  await discardRun(openRunEnvironment(name, definition, settings))
}

function readPlace(pipelineFile: string) {
  const settings = readSettings(process.env)
  const { topicPrefix } = settings
  const manifestReader = readManifest
  return { settings, definition: loadPipelineFile(pipelineFile, { manifestReader, topicPrefix }) }
}

const openLogger = (level: 'silent' | 'error', { instanceId: instance }: Settings) =>
  createLogger({ level, name: 'weir-replay', instance })

const openRunEnvironment = (name: string, definition: PipelineDefinition, settings: Settings) => ({
  run: isolateRun(name, definition),
  kafka: openKafka(settings, openLogger('silent', settings), 'replay'),
  redisUrl: settings.redis.url,
})

function listModels({ model }: PipelineDefinition): RunTerms['models'] {
  return [model.champion, ...model.challengers].map((reference) => {
    const { name, version, source } = reference
    const manifest = readManifest(reference)
    if (manifest !== null) return { name, version, sha256: manifest.files.cpu.sha256 }
    const detail = `${source}: found no manifest of ${name} ${version}, expected one.`
    throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail)
  })
}

function createProgress(): (progress: RunProgress) => void {
  const startedMs = performance.now()
  let first: number | null = null
  return ({ done, expected }) => {
    first ??= done
    const rate = (done - first) / ((performance.now() - startedMs) / 1000)
    const left = rate > 0 ? `${Math.ceil((expected - done) / rate)} s left` : 'time left unknown'
    process.stderr.write(`${done} of ${expected} offsets, ${Math.round(rate)}/s, ${left}\n`)
  }
}
