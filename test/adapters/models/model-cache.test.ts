// The cache of models: whole entries, verified on every use, the oldest unused removed.

import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { removeEntry } from '../../../services/adapters/models/cache-entries.ts'
import { createModelCache } from '../../../services/adapters/models/model-cache.ts'
import { readModelParts } from '../../../services/adapters/models/model-folder.ts'
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

test('cache - an entry that lacks a file is absent, and can be stored anew', async () => {
  const folder = temporaryFolder()
  const cache = createModelCache({ folder, bytesMax: plenty })
  const parts = await partsOf(firstName)
  const { reference } = await cache.store(parts)
  rmSync(join(reference.source, firstName, '1', parts.parsed.files.golden.path))
  expect(await cache.open(parts.manifestSha256)).toBeNull()
  expect(await cache.store(parts)).toMatchObject({ manifestSha256: parts.manifestSha256 })
  expect(readdirSync(join(folder, 'incoming'))).toEqual([])
})

test('cache - an entry that merely cannot be read stays, and the refusal names the setting', async () => {
  const folder = temporaryFolder()
  const cache = createModelCache({ folder, bytesMax: plenty })
  const parts = await partsOf(firstName)
  const { reference } = await cache.store(parts)
  const file = join(reference.source, firstName, '1', parts.parsed.files.golden.path)
  // In the place of the file a folder, which nobody can read as a file, whoever runs the test.
  rmSync(file)
  mkdirSync(file)
  await expect(cache.open(parts.manifestSha256)).rejects.toMatchObject({
    code: 'WEIR_SETTINGS_INVALID',
    message: expect.stringContaining('WEIR_MODEL_CACHE'),
  })
  expect(statSync(file).isDirectory()).toBe(true)
})

test('cache - spares what any process used a moment ago, also above its size', async () => {
  const folder = temporaryFolder()
  const [first, second] = [await partsOf(firstName), await partsOf(secondName)]
  await createModelCache({ folder, bytesMax: plenty }).store(first)
  await createModelCache({ folder, bytesMax: 1 }).store(second)
  expect(readdirSync(join(folder, 'models'))).toHaveLength(2)
  await createModelCache({ folder, bytesMax: 1, keepMs: 0 }).store(second)
  expect(readdirSync(join(folder, 'models'))).toEqual([second.manifestSha256])
})

test('cache - what is taken out is put back if it turns out to be right', async () => {
  const folder = temporaryFolder()
  const parts = await partsOf(firstName)
  const cache = createModelCache({ folder, bytesMax: plenty })
  const { reference } = await cache.store(parts)
  const incoming = join(folder, 'incoming')
  // Another process mended it between the look and the removal.
  expect(await removeEntry(incoming, reference.source, async () => false)).toBe(false)
  expect(await cache.open(parts.manifestSha256)).not.toBeNull()
  expect(await removeEntry(incoming, reference.source, async () => true)).toBe(true)
  expect(await removeEntry(incoming, reference.source, async () => true)).toBe(false)
  expect(await cache.open(parts.manifestSha256)).toBeNull()
})

test('cache - a signature never brings an entry into being', async () => {
  const folder = temporaryFolder()
  const cache = createModelCache({ folder, bytesMax: plenty })
  await expect(cache.sign('0'.repeat(64), 'ed25519 ...')).rejects.toMatchObject({
    code: 'WEIR_SETTINGS_INVALID',
  })
  expect(await cache.open('0'.repeat(64))).toBeNull()
})

test('cache - processes that store, read and trim at once find whole models or none', async () => {
  const folder = temporaryFolder()
  const racer = join(repositoryFolder, 'test/adapters/models/cache-racer.ts')
  const race = (seed: number) =>
    new Promise<{ code: number | null; told: string }>((resolve) => {
      // Stage for one or two of four models.
      const words = [racer, folder, '20000', '120', String(seed)]
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] })
      let told = ''
      child.stderr.on('data', (text: Buffer) => (told += text.toString()))
      child.on('close', (code) => resolve({ code, told }))
    })
  const ends = await Promise.all([1, 2, 3].map(race))
  for (const end of ends) expect(end).toEqual({ code: 0, told: '' })
  expect(readdirSync(join(folder, 'incoming'))).toEqual([])
})
