// One of several processes that use a cache of models at once; started by model-cache.test.ts.
//
// In: the cache's folder, its ceiling, how many turns. Out: exit code 0; on stderr what went wrong
// otherwise. Each turn opens a model, stores it where there is none, spoils it now and then, and
// reads what it was given.

import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { createModelCache, type ModelCache } from '../../../services/adapters/models/model-cache.ts'
import { type ModelParts, readModelParts } from '../../../services/adapters/models/model-folder.ts'
import { createRandom } from '../../support/random.ts'

// Not from fixture-models.ts, which belongs to the test runner.
const fixtureFolder = join(repositoryFolder, 'test/fixtures/models')
const [folder = '', bytesMax = '', turns = '', seed = ''] = process.argv.slice(2)
const random = createRandom(Number(seed))
const names = readdirSync(fixtureFolder).slice(0, 4)
const models = await Promise.all(
  names.map((name) => readModelParts(join(fixtureFolder, name, '1'))),
)
// Nothing is spared, so that the race is met: what was found may be gone a moment later.
const options = { folder, bytesMax: Number(bytesMax), keepMs: 0 }

for (let turn = 0; turn < Number(turns); turn++) {
  // As a process that starts: it uses nothing yet.
  const cache = createModelCache(options)
  const model = random.pick(models)
  const found = (await cache.open(model.manifestSha256)) ?? (await storeIn(cache, model))
  if (found === null) continue
  if (found.manifestSha256 !== model.manifestSha256) throw new Error('another model was found')
  if (!found.manifest.equals(model.manifest)) throw new Error('another manifest was found')
  if (random.chance(0.1)) spoil(found.reference)
}

/** Null where the others took it away as often as it was stored: nothing is spared here. */
async function storeIn(cache: ModelCache, model: ModelParts) {
  try {
    return await cache.store(model)
  } catch (error) {
    if ((error as Error).message.includes('is gone or reads differently')) return null
    throw error
  }
}

function spoil({ source, name, version }: { source: string; name: string; version: string }) {
  try {
    writeFileSync(join(source, name, version, 'golden.json'), 'spoiled')
  } catch {
    // Somebody trimmed it.
  }
}
