// Signatures of manifests: who is trusted, what was changed, and how keys are replaced.

import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  addSignature,
  checkSignature,
  keyIdOf,
  type SignaturePolicy,
} from '../../services/models/manifest-signature.ts'

const manifest = Buffer.from('{"name":"m"}')
const [own, foreign] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
const policyOf = (isRequired: boolean): SignaturePolicy => ({
  keys: new Map([[keyIdOf(own.publicKey), own.publicKey]]),
  isRequired,
})
const check = (text: string | null, isRequired = true, bytes = manifest) =>
  checkSignature(bytes, text, { policy: policyOf(isRequired), source: 'm 1' })
const refused = (reason: RegExp) =>
  expect.objectContaining({
    code: 'WEIR_CLASSIFY_SIGNATURE_REFUSED',
    message: expect.stringMatching(reason),
  })

test('signature - of a trusted key is accepted, and its key is named', () => {
  expect(check(addSignature(manifest, own.privateKey, null))).toBe(keyIdOf(own.publicKey))
})

test('signature - missing or foreign is refused where one is required, and only there', () => {
  const other = addSignature(manifest, foreign.privateKey, null)
  expect(() => check(null)).toThrow(refused(/no signature/))
  expect(() => check(other)).toThrow(refused(/signatures of .* only/))
  expect([check(null, false), check(other, false)]).toEqual([null, null])
})

test('signature - of a trusted key over other bytes is refused, required or not', () => {
  const text = addSignature(manifest, own.privateKey, null)
  const changed = Buffer.from('{"name":"n"}')
  for (const isRequired of [true, false]) {
    expect(() => check(text, isRequired, changed)).toThrow(refused(/does not fit/))
  }
})

test('signature - that claims a trusted key id and was made by another key is refused', () => {
  const forged = addSignature(manifest, foreign.privateKey, null).replace(
    keyIdOf(foreign.publicKey),
    keyIdOf(own.publicKey),
  )
  expect(() => check(forged)).toThrow(refused(/does not fit/))
})

test('signature - in a file of something else is refused with its line', () => {
  expect(() => check('nonsense')).toThrow(refused(/line 1 /))
})

test('signature - of a second key stands beside the first, and of the same key replaces it', () => {
  const first = addSignature(manifest, foreign.privateKey, null)
  const both = addSignature(manifest, own.privateKey, first)
  expect(check(both)).toBe(keyIdOf(own.publicKey))
  expect(both.split('\n')).toHaveLength(3)
  expect(addSignature(manifest, own.privateKey, both)).toBe(both)
})
