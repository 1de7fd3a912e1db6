// The shape of manifest.json as JSON Schema (draft 7), for ajv and for the reference page.
//
// In: nothing. Out: data; what spans fields (hashes, orders, lengths) is checked in manifest.ts.
// Invariant: structural parts refuse unknown fields, so that a misspelt `gpu` is not an absent one;
// measures, calibration and bias rows stay open, because training grows faster than the scorer.

import { limits } from '../core/limits.ts'

const text = { type: 'string', minLength: 1 }
const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' }
const probability = { type: 'number', minimum: 0, maximum: 1 }
const countOf = { type: 'integer', minimum: 0 }
const numbers = { type: 'array', items: { type: 'number' } }

const closed = (properties: Record<string, unknown>, optional: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
})

const open = (properties: Record<string, unknown>) => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
})

/** A plain file name: a manifest never reaches outside its folder. */
const file = closed({ path: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' }, sha256 })
const histogram = { edges: numbers, counts: { type: 'array', items: countOf, minItems: 1 } }
const measures = { averagePrecision: probability, rocAuc: probability }

export const manifestSchema = closed({
  format: { const: 1 },
  name: text,
  version: text,
  createdAt: text,
  files: closed({ cpu: file, gpu: file, golden: file, parity: file }, ['gpu', 'parity']),
  featureSet: closed({
    names: {
      type: 'array',
      items: text,
      minItems: 1,
      maxItems: limits.featuresMax,
      uniqueItems: true,
    },
    hash: sha256,
  }),
  input: text,
  output: text,
  thresholds: closed({ review: probability, block: probability }),
  calibration: open({ method: text }),
  reference: closed({
    features: {
      type: 'array',
      items: closed({ name: text, ...histogram, median: { type: 'number' } }),
    },
    score: closed(histogram),
  }),
  training: closed(
    {
      from: text,
      to: text,
      rows: countOf,
      frauds: countOf,
      dataSha256: sha256,
      seed: { type: 'integer' },
      code: text,
      lineage: { type: 'object' },
    },
    ['lineage'],
  ),
  metrics: open({ ...measures, logisticRegression: open(measures) }),
  biasTable: { type: 'array', items: { type: 'object' } },
})
