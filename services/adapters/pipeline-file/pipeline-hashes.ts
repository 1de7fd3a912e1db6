// The hashes that tell pipelines, state layouts and models apart.
//
// Comes in: a definition without its hashes. Goes out: three sha-256 in hex. Canonical JSON sorts
// the keys of every object, so that the order in which a file writes them does not matter; the
// order of lists does. Invariants: what depends on the place (topics, the folder of the models) is
// in no hash, so that the same file has the same hashes everywhere; neither is `rollout`, which
// makes no score.

import { createHash } from 'node:crypto'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { featureSetHash } from '../../models/manifest.ts'

type Hashes = Pick<PipelineDefinition, 'hash' | 'layoutHash' | 'featureSet'>

type Layout = Pick<PipelineDefinition, 'entities' | 'features' | 'late'>

export function hashDefinition(definition: Omit<PipelineDefinition, keyof Hashes>): Hashes {
  const { topics: _place, rollout: _rules, ...rest } = definition
  const { champion, challengers } = definition.model
  const model = {
    champion: { ...champion, source: null },
    challengers: challengers.map((challenger) => ({ ...challenger, source: null })),
  }
  return {
    hash: hashText(toCanonicalJson({ ...rest, model })),
    layoutHash: hashText(toCanonicalJson(toLayout(definition))),
    featureSet: featureSetHash(definition.features.map((feature) => feature.name)),
  }
}

/**
 * Entities belong to it whole and in order: keys in the store carry their places. So does the
 * lateness that is allowed: it says how long a record has to stay one by one before it is folded
 * into tiles or dropped, so that state folded under a shorter one lacks what a longer one asks for.
 */
const toLayout = ({ entities, features, late }: Layout): unknown => ({
  entities,
  features,
  lateAllowedMs: late.allowedMs,
})

const hashText = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')

/** JSON with the keys of every object in code unit order. */
export function toCanonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
