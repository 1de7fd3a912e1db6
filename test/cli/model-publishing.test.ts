// `weir models sign` and what a scorer that asks for signatures makes of it.

import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readModelFolder } from '../../services/adapters/models/model-files.ts'
import { keyIdOf } from '../../services/models/manifest-signature.ts'
import { copyModel, fixtureFeatures, fixtureFolder } from '../adapters/onnx/fixture-models.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const [fixture = ''] = readdirSync(fixtureFolder)

const weir = (...words: string[]) =>
  spawnSync(process.execPath, ['services/cli/main.ts', ...words], { encoding: 'utf8' })

const demanding = (key: KeyObject) => ({
  features: fixtureFeatures,
  signatures: { keys: new Map([[keyIdOf(key), key]]), isRequired: true },
})

test('models sign - lets a scorer that asks for the signature open the model, and no other', async () => {
  const { reference, folder } = await copyModel(fixture)
  const [own, foreign] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
  const open = (key: KeyObject) => readModelFolder(reference, 'champion', demanding(key))
  await expect(open(own.publicKey)).rejects.toThrow(/no signature/)
  const key = join(temporaryFolder(), 'owner.pem')
  writeFileSync(key, own.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const signed = weir('models', 'sign', '--key', key, folder)
  expect([signed.status, signed.stdout]).toEqual([0, expect.stringContaining('signed by key')])
  expect((await open(own.publicKey)).manifest.name).toBe(fixture)
  await expect(open(foreign.publicKey)).rejects.toMatchObject({
    code: 'WEIR_CLASSIFY_SIGNATURE_REFUSED',
  })
  const path = join(folder, 'manifest.json')
  writeFileSync(path, `${readFileSync(path, 'utf8')} `)
  await expect(open(own.publicKey)).rejects.toThrow(/does not fit/)
})

test('models sign - refuses a folder whose files are not the manifest’s, and writes nothing', async () => {
  const { folder } = await copyModel(fixture)
  const key = join(temporaryFolder(), 'owner.pem')
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(join(folder, 'golden.json'), 'poison')
  const refused = weir('models', 'sign', '--key', key, folder)
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('sha-256')])
  expect(readdirSync(folder)).not.toContain('manifest.json.sig')
})
