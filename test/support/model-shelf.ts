// Fixture models under other names and versions, and a small pipeline that scores with them.
//
// In: which fixture stands for which version of the model `trees`. Out: a folder of models and a pipeline file
// in the repository's scratch folder. The manifest's name and version are all that is changed, so every
// model still passes its own golden rows: `unbounded` too, which then gives scores that are none.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { fixtureFolder } from '../adapters/onnx/fixture-models.ts'
import { uniqueName } from './stack.ts'

export type ModelShelf = {
  /** Relative to the repository. */
  readonly pipelineFile: string
  /** Puts one more version there, or spoils one that is. */
  readonly add: (version: string, fixture: string, spoil?: (folder: string) => void) => void
  readonly remove: () => void
}

/** @param sections of the pipeline file, in place of the usual ones. */
export function makeModelShelf(
  purpose: string,
  versions: Record<string, string>,
  sections: { readonly policy?: string; readonly rollout?: string } = {},
): ModelShelf {
  const scratch = join('.weir', 'tests', uniqueName(purpose))
  const source = join(repositoryFolder, scratch, 'models')
  const add: ModelShelf['add'] = (version, fixture, spoil = () => undefined) => {
    const folder = join(source, 'trees', version)
    mkdirSync(folder, { recursive: true })
    cpSync(join(fixtureFolder, fixture, '1'), folder, { recursive: true })
    const file = join(folder, 'manifest.json')
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...manifest, name: 'trees', version }))
    spoil(folder)
  }
  for (const [version, fixture] of Object.entries(versions)) add(version, fixture)
  const pipelineFile = join(scratch, 'pipeline.yaml')
  writeFileSync(join(repositoryFolder, pipelineFile), pipelineText(source, sections))
  const remove = () => rmSync(join(repositoryFolder, scratch), { recursive: true, force: true })
  return { pipelineFile, add, remove }
}

const usualPolicy = '{ review: 0.5, block: 0.9, flaggedShareMax: 1, brakeWindow: 10000 }'

const pipelineText = (
  source: string,
  { policy = usualPolicy, rollout = '{}' }: { readonly policy?: string; readonly rollout?: string },
): string => `
pipeline: shelf
entities:
  customer: { key: [customerId] }
features:
  - { name: amount, field: amountMinor, scale: 0.01 }
  - { name: is_night, calendar: { hours: [0, 6] } }
  - { name: customer_count_1d, entity: customer, op: count, window: 1d }
  - { name: customer_amount_mean_7d, entity: customer, op: mean, of: amountMinor, scale: 0.01, window: 7d }
validate: { ageMax: 400d, futureMax: 60s }
late: { allowed: 10m, then: score_only }
align: { maxDrift: 1h, maxWait: 10s }
model: { name: trees, version: "1", source: ${source} }
execution: { providers: [cpu], require: false, workers: 1 }
policy: ${policy}
rollout: ${rollout}
drift: { sampleShare: 0.01 }
`
