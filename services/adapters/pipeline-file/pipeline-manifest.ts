// A model's manifest held against a pipeline: may this model score these vectors?
//
// Comes in: a definition and a manifest. Goes out: faults, empty where the two agree. The scorer,
// `weir models validate` and training ask it; replays that only compute features do not. What may
// be refused: another name or version, other features or another order. The manifest's own
// soundness is the classify stage's (manifest.ts), files and golden scores are checked where a
// model is loaded. A policy may differ from the manifest's thresholds: they are advice, the policy
// is the decision.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import {
  type ModelReference,
  mlflowSource,
  type PipelineDefinition,
} from '../../core/pipeline-definition.ts'
import { type ModelManifest, parseManifest } from '../../models/manifest.ts'
import { type Fault, quote } from './pipeline-fault.ts'

/** What of a manifest concerns the pipeline. */
export type ComparedManifest = Pick<ModelManifest, 'name' | 'version' | 'featureSet'>

/**
 * The manifest in the model's folder, or null where there is none (yet), as with one of a registry.
 */
export function readManifest(reference: ModelReference): ModelManifest | null {
  if (reference.source === mlflowSource) return null
  const path = join(reference.source, reference.name, reference.version, 'manifest.json')
  try {
    return parseManifest(readFileSync(path, 'utf8'), path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw cause
  }
}

/** Every model of the pipeline that has a manifest; one that cannot be read is a fault as well. */
export function findModelFaults(
  definition: PipelineDefinition,
  manifestReader: (reference: ModelReference) => ComparedManifest | null,
): readonly Fault[] {
  const { champion, challengers } = definition.model
  return [champion, ...challengers].flatMap((reference) => {
    try {
      const manifest = manifestReader(reference)
      return manifest === null ? [] : checkManifest(definition, manifest, reference)
    } catch (cause) {
      if (!(cause instanceof WeirError)) throw cause
      return [{ path: ['model'], at: 'key', found: cause.message, expected: 'a sound manifest' }]
    }
  })
}

/** @param reference the model whose manifest it is; the champion where it is left out. */
export function checkManifest(
  definition: PipelineDefinition,
  manifest: ComparedManifest,
  reference: ModelReference = definition.model.champion,
): readonly Fault[] {
  const who = `the manifest of ${reference.name} ${reference.version}`
  const toFault = ({ found, expected }: Difference): Fault => {
    return { path: ['model'], at: 'key', found: `${found} in ${who}`, expected }
  }
  const keys = (['name', 'version'] as const).filter((key) => manifest[key] !== reference[key])
  const identity = keys.map((key) => ({
    found: `${key} ${quote(manifest[key])}`,
    expected: quote(reference[key]),
  }))
  return [...identity, ...findFeatureDifferences(definition, manifest)].map(toFault)
}

type Difference = Pick<Fault, 'found' | 'expected'>

/** The first differences are enough: one feature put in at the front moves all that follow. */
const differencesShownMax = 3

function findFeatureDifferences(
  { features, featureSet }: PipelineDefinition,
  manifest: ComparedManifest,
): readonly Difference[] {
  const own = features.map((feature) => feature.name)
  const { names, hash } = manifest.featureSet
  const places = Array.from({ length: Math.max(names.length, own.length) }, (_, place) => place)
  const different = places.filter((place) => names[place] !== own[place])
  if (different.length === 0) {
    const isSame = hash === featureSet
    return isSame ? [] : [{ found: `featureSet.hash ${hash}`, expected: `${featureSet}` }]
  }
  const shown = different.slice(0, differencesShownMax).map((place) => ({
    found: `feature ${place + 1} ${names[place] ?? 'missing'}`,
    expected: own[place] === undefined ? 'no such feature' : `${own[place]} as in the pipeline`,
  }))
  const rest = different.length - shown.length
  if (rest === 0) return shown
  const expected = `the ${own.length} features of the pipeline in their order`
  return [...shown, { found: `${rest} more features that differ`, expected }]
}
