// Reads a pipeline file: from YAML to the frozen PipelineDefinition that every stage is built from.
//
//   text ─ pipeline-document ─► value ─ pipeline-shape ─► sound value ─ feature-table,
//     pipeline-sections ─► definition ─ feature-rules, pipeline-rules, pipeline-manifest ─► faults
//
// Comes in: a path. Goes out: the definition, deeply frozen, with its hashes. What may be refused:
// any fault, as WEIR_PIPELINE_INVALID, with all faults of the file at once, one per line, as
// `file:line:column  path  found X, expected Y, hint`. Only broken YAML hides the faults behind it.

import { readFileSync } from 'node:fs'
import { WeirError } from '../../core/errors.ts'
import { longestReachMs } from '../../core/look-back.ts'
import type { ModelReference, PipelineDefinition } from '../../core/pipeline-definition.ts'
import { dayMs, parseDuration } from './duration.ts'
import { findFeatureFaults } from './feature-rules.ts'
import { expandFeatures, type FeatureEntry } from './feature-table.ts'
import { findInputFaults } from './input-rules.ts'
import { knownFields } from './known-fields.ts'
import { type PipelineDocument, parsePipelineDocument } from './pipeline-document.ts'
import { type Fault, formatFault, type Position } from './pipeline-fault.ts'
import { hashDefinition } from './pipeline-hashes.ts'
import { type ComparedManifest, findModelFaults } from './pipeline-manifest.ts'
import { findSectionFaults } from './pipeline-rules.ts'
import {
  defaults,
  type Place,
  readEntities,
  readExecution,
  readModel,
  readOutput,
  readPolicy,
  readRollout,
  readTimes,
  readTopics,
} from './pipeline-sections.ts'
import { findShapeFaults } from './pipeline-shape.ts'
import { readInput } from './read-input.ts'
import { readSoundly, type SoundValue } from './sound-value.ts'

type PipelineFileOptions = {
  /** Gives a model's manifest or null where there is none; without it no model is looked at. */
  readonly manifestReader?: (reference: ModelReference) => ComparedManifest | null
  /** Put before every topic's name, from WEIR_TOPIC_PREFIX. */
  readonly topicPrefix?: string
  /** What a relative `model.source` is relative to; the working directory where it is left out. */
  readonly baseFolder?: string
}

type LocatedFault = Fault & { readonly position: Position }

type Context = Place & {
  readonly manifestReader: (reference: ModelReference) => ComparedManifest | null
}

export function loadPipelineFile(
  path: string,
  options: PipelineFileOptions = {},
): PipelineDefinition {
  const { definition, faults } = readPipelineText(readText(path), options)
  if (definition !== null) return definition
  const lines = faults.map((fault) => formatLine(path, fault))
  const count = lines.length === 1 ? '1 fault' : `${lines.length} faults`
  throw new WeirError('WEIR_PIPELINE_INVALID', `${count}:\n${lines.join('\n')}`)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new WeirError('WEIR_PIPELINE_INVALID', `${path} cannot be read: ${reason}`, { cause })
  }
}

const formatLine = (path: string, fault: LocatedFault): string =>
  `${path}:${fault.position.line}:${fault.position.column}  ${formatFault(fault)}`

/** The definition, or every fault in the order of the file; never both. */
export function readPipelineText(
  text: string,
  options: PipelineFileOptions = {},
): { readonly definition: PipelineDefinition | null; readonly faults: readonly LocatedFault[] } {
  const document = parsePipelineDocument(text)
  if (!document.isReadable) return { definition: null, faults: document.faults }
  const shapeFaults = findShapeFaults(document.value)
  const file = readSoundly(document.value, shapeFaults)
  const { definition, faults } = readSoundPart(file, toContext(options))
  const located = locateAll(document, [...shapeFaults, ...faults])
  if (located.length > 0) return { definition: null, faults: located }
  return { definition: deepFreeze(definition), faults: [] }
}

const toContext = (options: PipelineFileOptions): Context => ({
  manifestReader: options.manifestReader ?? (() => null),
  topicPrefix: options.topicPrefix ?? '',
  baseFolder: options.baseFolder ?? process.cwd(),
})

function readSoundPart(
  file: SoundValue,
  context: Context,
): { readonly definition: PipelineDefinition; readonly faults: readonly Fault[] } {
  const entries = expandFeatures(file)
  const retentionMsMin = findRetentionMsMin(file, entries)
  const definition = toDefinition(file, context, { entries, retentionMsMin })
  const transactionFields = knownFields(definition.input.transactions.fields)
  const labelFields = knownFields(definition.input.labels.fields)
  const { isLookup: isByIdAlone, delayMs } = definition.input.labels
  const isLookup = isByIdAlone || delayMs !== null
  const entities = file.keysAt(['entities']) === null ? null : keysByEntity(definition)
  const hasLabels = definition.topics.labels !== null
  const featureContext = { entries, entities, transactionFields, labelFields, hasLabels, isLookup }
  const own = [
    ...findFeatureFaults(featureContext),
    ...findInputFaults(file, definition.input),
    ...findSectionFaults({ definition, transactionFields, retentionMsMin }),
  ]
  // A manifest is compared with the features that are meant; with faults they are not known yet.
  const isComplete =
    own.length === 0 &&
    entries.every((entry) => entry.kind !== 'unsound') &&
    file.read(['model'], null) !== null
  const models = isComplete ? findModelFaults(definition, context.manifestReader) : []
  return { definition, faults: [...own, ...models] }
}

function toDefinition(
  file: SoundValue,
  context: Context,
  read: { readonly entries: readonly FeatureEntry[]; readonly retentionMsMin: number },
): PipelineDefinition {
  const retention = file.read<string | null>(['store', 'retention'], null)
  const entities = readEntities(file)
  const input = readInput(file, entities)
  const body = {
    pipeline: file.read(['pipeline'], ''),
    topics: readTopics(file, context),
    input,
    entities,
    features: read.entries.flatMap((entry) => [...entry.features]),
    ...readTimes(file),
    model: readModel(file, context),
    execution: readExecution(file),
    policy: readPolicy(file),
    output: readOutput(file, input),
    drift: { sampleShare: file.read<number>(['drift', 'sampleShare'], defaults.drift.sampleShare) },
    rollout: readRollout(file),
    store: {
      buckets: file.read<number>(['store', 'buckets'], defaults.store.buckets),
      retentionMs: retention === null ? read.retentionMsMin + dayMs : parseDuration(retention),
    },
  }
  return { ...body, ...hashDefinition(body) }
}

/** State older than this is in no window and in no step of a tail, even for a late event. */
function findRetentionMsMin(file: SoundValue, entries: readonly FeatureEntry[]): number {
  const features = entries.flatMap((entry) => [...entry.features])
  return longestReachMs({ features, late: readTimes(file).late })
}

const keysByEntity = (definition: PipelineDefinition) =>
  new Map(definition.entities.map(({ name, key }) => [name, key.length === 0 ? null : key]))

/** In the order of the file, each line once: windows of one feature share their faults. */
function locateAll(document: PipelineDocument, faults: readonly Fault[]): readonly LocatedFault[] {
  const located = faults.map((fault) => ({
    ...fault,
    position: document.locate(fault.path, fault.at),
  }))
  const all = [...document.faults, ...located]
  const unique = new Map(all.map((fault) => [JSON.stringify(fault), fault]))
  return [...unique.values()].sort(
    (a, b) => a.position.line - b.position.line || a.position.column - b.position.column,
  )
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}
