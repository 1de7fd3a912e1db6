// The manifest beside each model: text in, a checked ModelManifest out.
//
// Written by training/weir_training/manifest.py, described in docs/reference/model-manifest.md.
// Refused with WEIR_CLASSIFY_MODEL_REFUSED, all faults in one message: not JSON, a missing or wrong
// field, a feature set whose hash is not that of its names, references that do not follow it.
// Invariant: what passes here has one reference per feature, in the order of the vector.

import { createHash } from 'node:crypto'
import { Ajv, type ErrorObject } from 'ajv'
import { WeirError } from '../core/errors.ts'
import { manifestSchema } from './manifest-schema.ts'

export type ManifestFile = {
  /** A plain file name in the manifest's folder. */
  readonly path: string
  readonly sha256: string
}

/** Bin i holds edges[i-1] < x <= edges[i]; one count more than edges. */
type Histogram = {
  readonly edges: readonly number[]
  readonly counts: readonly number[]
}

export type FeatureReference = Histogram & {
  readonly name: string
  /** Takes the feature's place when a reason is sought by occlusion. */
  readonly median: number
}

type ModelMetrics = {
  readonly averagePrecision: number
  readonly rocAuc: number
  readonly [measure: string]: unknown
}

export type ModelManifest = {
  readonly format: 1
  readonly name: string
  readonly version: string
  readonly createdAt: string
  readonly files: {
    /** The graph for the CPU provider, usually a TreeEnsemble. */
    readonly cpu: ManifestFile
    /** The same model as plain tensor operations, for the webgpu and cuda providers. */
    readonly gpu?: ManifestFile
    readonly golden: ManifestFile
    /** More rows with the training library's scores, for `weir models validate`. */
    readonly parity?: ManifestFile
  }
  readonly featureSet: { readonly names: readonly string[]; readonly hash: string }
  readonly input: string
  /** A float32 tensor [n], [n, 1] or [n, 2]; of two columns the second is the fraud's. */
  readonly output: string
  readonly thresholds: { readonly review: number; readonly block: number }
  readonly calibration: { readonly method: string; readonly [detail: string]: unknown }
  readonly reference: {
    readonly features: readonly FeatureReference[]
    readonly score: Histogram
  }
  readonly training: {
    readonly from: string
    readonly to: string
    readonly rows: number
    readonly frauds: number
    readonly dataSha256: string
    readonly seed: number
    readonly code: string
    /** Hashes of what went in; absent from models that were trained before it was written. */
    readonly lineage?: Readonly<Record<string, unknown>>
  }
  /** Measured on a time range after the training's; logisticRegression is there to compare with. */
  readonly metrics: ModelMetrics & { readonly logisticRegression: ModelMetrics }
  readonly biasTable: readonly Readonly<Record<string, unknown>>[]
}

const validate = new Ajv({ allErrors: true, verbose: true }).compile<ModelManifest>(manifestSchema)

/** @param source names the manifest in the error, usually its path. */
export const parseManifest = (text: string, source: string): ModelManifest => {
  const document = parseJson(text, source)
  const faults = validate(document)
    ? crossFaults(document)
    : (validate.errors ?? []).map(describeFault)
  if (faults.length > 0) throw refuse(source, faults)
  return document as ModelManifest
}

/** Why the model cannot score the pipeline's vectors; empty where the feature sets are equal. */
export const featureSetFaults = (
  manifest: ModelManifest,
  features: readonly string[],
): readonly string[] => {
  const { names } = manifest.featureSet
  const who = `model ${manifest.name} ${manifest.version}`
  const faults: string[] = []
  if (names.length !== features.length) {
    faults.push(`${who} has ${names.length} features, the pipeline file ${features.length}`)
  }
  const index = names.findIndex((name, i) => i < features.length && name !== features[i])
  if (index >= 0) {
    faults.push(`${who} has ${names[index]} at ${index}, the pipeline file ${features[index]}`)
  }
  return faults
}

export const featureSetHash = (names: readonly string[]): string =>
  createHash('sha256').update(names.join('\n')).digest('hex')

const parseJson = (text: string, source: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refuse(source, [`not JSON: ${(cause as Error).message}`], cause)
  }
}

const describeFault = (error: ErrorObject): string => {
  const extra = error.params.additionalProperty
  const place = error.instancePath === '' ? 'the manifest' : error.instancePath
  if (extra !== undefined) return `${place} has the unknown field ${extra}`
  if (error.keyword === 'required') return `${place} ${error.message}`
  return `${place} ${error.message}, found ${JSON.stringify(error.data)?.slice(0, 80)}`
}

const crossFaults = (manifest: ModelManifest): readonly string[] => {
  const { featureSet, reference, thresholds, training } = manifest
  const faults: string[] = []
  const hash = featureSetHash(featureSet.names)
  if (hash !== featureSet.hash) {
    faults.push(`/featureSet/hash is ${featureSet.hash}, that of the names is ${hash}`)
  }
  const referenced = reference.features.map((feature) => feature.name)
  if (featureSetHash(referenced) !== hash) {
    faults.push(`/reference/features are for [${referenced}], featureSet has [${featureSet.names}]`)
  }
  if (thresholds.review > thresholds.block) {
    faults.push(`/thresholds/review ${thresholds.review} is above block ${thresholds.block}`)
  }
  if (training.frauds > training.rows) {
    faults.push(`/training/frauds ${training.frauds} is above rows ${training.rows}`)
  }
  for (const feature of reference.features) faults.push(...histogramFaults(feature, feature.name))
  faults.push(...histogramFaults(reference.score, 'score'))
  return faults
}

const histogramFaults = ({ edges, counts }: Histogram, of: string): readonly string[] => {
  const faults: string[] = []
  if (counts.length !== edges.length + 1) {
    faults.push(`reference of ${of} has ${counts.length} counts, expected ${edges.length + 1}`)
  }
  if (edges.some((edge, i) => i > 0 && edge <= edges[i - 1]!)) {
    faults.push(`reference of ${of} has edges that do not rise`)
  }
  return faults
}

const refuse = (source: string, faults: readonly string[], cause?: unknown): WeirError =>
  new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', `${source}: ${faults.join('; ')}`, { cause })
