import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { featureSetFaults, featureSetHash, parseManifest } from '../../services/models/manifest.ts'
import { manifestSchema } from '../../services/models/manifest-schema.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const good = read('test/fixtures/models/trees/1/manifest.json')

// biome-ignore lint/suspicious/noExplicitAny: a test spoils the document in any place.
const spoilt = (spoil: (manifest: any) => void): string => {
  const manifest = JSON.parse(good)
  spoil(manifest)
  return JSON.stringify(manifest)
}

const refusal = (text: string): string => {
  try {
    parseManifest(text, 'manifest.json')
  } catch (error) {
    expect(error).toMatchObject({ code: 'WEIR_CLASSIFY_MODEL_REFUSED' })
    return (error as Error).message
  }
  throw new Error('the manifest was accepted')
}

describe('manifest', () => {
  it('parseManifest - reads what training wrote', () => {
    const manifest = parseManifest(good, 'manifest.json')
    expect(manifest.featureSet.hash).toBe(featureSetHash(manifest.featureSet.names))
    expect(manifest.files.gpu?.path).toBe('model.gpu.onnx')
    expect(manifest.reference.features.map(({ name }) => name)).toEqual(manifest.featureSet.names)
    expect(parseManifest(read('models/bench/1/manifest.json'), 'bench').name).toBe('bench')
  })

  it('parseManifest - reports all faults of the shape at once, with what was found', () => {
    const message = refusal(
      spoilt((manifest) => {
        manifest.files.cpu.sha256 = 'abc'
        manifest.files.golden.path = '../golden.json'
        manifest.files.gpuu = manifest.files.gpu
        manifest.thresholds.review = 1.5
        delete manifest.training.seed
      }),
    )
    expect(message).toContain('manifest.json: ')
    expect(message).toMatch(/\/files\/cpu\/sha256 must match pattern .*, found "abc"/)
    expect(message).toMatch(/\/files\/golden\/path must match pattern .*"\.\.\/golden\.json"/)
    expect(message).toContain('/files has the unknown field gpuu')
    expect(message).toContain('/thresholds/review must be <= 1, found 1.5')
    expect(message).toContain("/training must have required property 'seed'")
  })

  it('parseManifest - reports all faults between fields at once', () => {
    const message = refusal(
      spoilt((manifest) => {
        manifest.featureSet.names.reverse()
        manifest.thresholds = { review: 0.9, block: 0.5 }
        manifest.training.frauds = manifest.training.rows + 1
        manifest.reference.features[0].counts.pop()
        manifest.reference.score.edges[1] = manifest.reference.score.edges[0]
      }),
    )
    expect(message).toContain('/featureSet/hash is ')
    expect(message).toContain('/reference/features are for [amount,')
    expect(message).toContain('/thresholds/review 0.9 is above block 0.5')
    expect(message).toContain('/training/frauds')
    expect(message).toContain('reference of amount has ')
    expect(message).toContain('reference of score has edges that do not rise')
  })

  it('parseManifest - refuses text that is not JSON', () => {
    expect(refusal('{"format": 1,')).toContain('not JSON')
    expect(refusal('[]')).toContain('must be object')
  })

  it('featureSetFaults - finds a missing, a moved and no different feature', () => {
    const manifest = parseManifest(good, 'manifest.json')
    const { names } = manifest.featureSet
    expect(featureSetFaults(manifest, names)).toEqual([])
    expect(featureSetFaults(manifest, names.slice(1))).toEqual([
      'model trees 1 has 4 features, the pipeline file 3',
      'model trees 1 has amount at 0, the pipeline file is_night',
    ])
    expect(featureSetFaults(manifest, names.with(2, 'other'))).toEqual([
      'model trees 1 has customer_count_1d at 2, the pipeline file other',
    ])
  })
})

describe('model-manifest page', () => {
  it('reference - describes every field of the schema and no other', () => {
    const page = read('docs/reference/model-manifest.md')
    const described = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, field]) => field)
    expect(described.sort()).toEqual(fieldsOf(manifestSchema as Schema).sort())
  })
})

type Schema = { properties?: Record<string, Schema>; items?: Schema }

/** Paths of all leaves, lists marked with []. */
function fieldsOf(schema: Schema, path = ''): string[] {
  if (schema.items?.properties !== undefined) return fieldsOf(schema.items, `${path}[]`)
  if (schema.properties === undefined) return [path]
  return Object.entries(schema.properties).flatMap(([name, inner]) =>
    fieldsOf(inner, path === '' ? name : `${path}.${name}`),
  )
}
