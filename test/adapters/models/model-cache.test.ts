// The cache of models: whole entries, verified on every use, the oldest unused removed.

import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createModelCache } from '../../../services/adapters/models/model-cache.ts'
import { readModelParts } from '../../../services/adapters/models/model-parts.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { fixtureFolder } from '../onnx/fixture-models.ts'

const plenty = 2 ** 30
const [firstName = '', secondName = ''] = readdirSync(fixtureFolder)
const partsOf = (name: string) => readModelParts(join(fixtureFolder, name, '1'))

test('cache - gives back what was stored, also to the next process', async () => {
  const folder = temporaryFolder()
  const parts = await partsOf(firstName)
  await createModelCache({ folder, bytesMax: plenty }).store(parts)
  const found = await createModelCache({ folder, bytesMax: plenty }).open(parts.manifestSha256)
  expect(found?.reference).toMatchObject({ name: firstName, version: '1' })
  const copy = await readModelParts(join(found!.reference.source, firstName, '1'))
  expect(copy.files).toEqual(parts.files)
  expect(readdirSync(join(folder, 'incoming'))).toEqual([])
})

test('cache - an entry with one changed byte is absent, and can be stored anew', async () => {
  const folder = temporaryFolder()
  const cache = createModelCache({ folder, bytesMax: plenty })
  const parts = await partsOf(firstName)
  const { reference } = await cache.store(parts)
  writeFileSync(join(reference.source, firstName, '1', parts.parsed.files.cpu.path), 'poison')
  expect(await cache.open(parts.manifestSha256)).toBeNull()
  expect(await cache.store(parts)).toMatchObject({ manifestSha256: parts.manifestSha256 })
})

test('cache - removes what was unused for longest, and nothing that is in use', async () => {
  const folder = temporaryFolder()
  const [first, second] = [await partsOf(firstName), await partsOf(secondName)]
  const earlier = await createModelCache({ folder, bytesMax: plenty }).store(first)
  utimesSync(earlier.reference.source, 1000, 1000)
  const cache = createModelCache({ folder, bytesMax: 1 })
  await cache.store(second)
  expect(readdirSync(join(folder, 'models'))).toEqual([second.manifestSha256])
  await cache.store(first)
  expect(readdirSync(join(folder, 'models'))).toHaveLength(2)
})

test('cache - remembers what a name was resolved to', async () => {
  const folder = temporaryFolder()
  await createModelCache({ folder, bytesMax: plenty }).remember('m @champion', 'abc')
  const cache = createModelCache({ folder, bytesMax: plenty })
  expect(await cache.recall('m @champion')).toBe('abc')
  expect(await cache.recall('m @other')).toBeNull()
})
