// A small pipeline that scores with fixture models under other versions.
//
// In: which fixture stands for which version of the model `trees`. Out: a shelf of them
// (load/bench/environment/model-shelf.ts) in the repository's scratch folder. `unbounded` passes
// its own golden rows too, and then gives scores that are none.

import { join, relative } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { type ModelShelf, makeModelShelf } from '../../load/bench/environment/model-shelf.ts'
import { fixtureFolder } from '../adapters/onnx/fixture-models.ts'
import { uniqueName } from './stack.ts'

/** `pipelineFile` is relative to the repository. */
export type FixtureShelf = Pick<ModelShelf, 'pipelineFile' | 'remove'> & {
  /** Puts one more version there, or spoils one that is. */
  readonly add: (version: string, fixture: string, spoil?: (folder: string) => void) => void
}

/** @param sections of the pipeline file, in place of the usual ones. */
export function makeFixtureShelf(
  purpose: string,
  versions: Record<string, string>,
  sections: { readonly policy?: string; readonly rollout?: string } = {},
): FixtureShelf {
  const sourceOf = (fixture: string) => join(fixtureFolder, fixture, '1')
  const shelf = makeModelShelf({
    folder: join(repositoryFolder, '.weir', 'tests', uniqueName(purpose)),
    name: 'trees',
    versions: Object.fromEntries(
      Object.entries(versions).map(([version, fixture]) => [version, sourceOf(fixture)]),
    ),
    writePipeline: (models) => pipelineText(models, sections),
  })
  return {
    pipelineFile: relative(repositoryFolder, shelf.pipelineFile),
    add: (version, fixture, spoil) => shelf.add(version, sourceOf(fixture), spoil),
    remove: shelf.remove,
  }
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
