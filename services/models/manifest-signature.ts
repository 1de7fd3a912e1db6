// Who vouches for a model: Ed25519 signatures over the exact bytes of manifest.json.
//
// In: the manifest's bytes, the text of manifest.json.sig beside it, the keys that are trusted.
// Refused with WEIR_CLASSIFY_SIGNATURE_REFUSED: a signature of a trusted key that does not fit the
// bytes, always; a missing one and one of foreign keys alone, where signatures are required. The
// manifest holds the sha-256 of every file of the model, so one signature covers them all.
//
//   manifest.json.sig    one line per signer, so that a key can be replaced without a gap:
//   ed25519 <key id: sha-256 of the public key's SPKI DER, hex> <signature, base64>

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { WeirError } from '../core/errors.ts'

export const manifestFileName = 'manifest.json'
export const signatureFileName = 'manifest.json.sig'

/** More signers than this is a file that somebody else wrote. */
const signersMax = 16

export type SignaturePolicy = {
  /** Public keys by their id. */
  readonly keys: ReadonlyMap<string, KeyObject>
  /** Whether a model without a signature of one of these keys is refused. */
  readonly isRequired: boolean
}

/** Nobody is known and nothing is asked for: only hashes are checked. */
export const noSignatures: SignaturePolicy = { keys: new Map(), isRequired: false }

type Signature = { readonly keyId: string; readonly bytes: Buffer }

/**
 * @param signatures the text of manifest.json.sig, null where there is none.
 * @param source names the manifest in the refusal, usually its path.
 * @returns the id of the trusted key that signed; null where none did and none is required.
 */
export function checkSignature(
  manifest: Uint8Array,
  signatures: string | null,
  { policy, source }: { readonly policy: SignaturePolicy; readonly source: string },
): string | null {
  if (policy.keys.size === 0 && !policy.isRequired) return null
  const found = signatures === null ? [] : parseSignatures(signatures, source)
  const trusted = found.filter(({ keyId }) => policy.keys.has(keyId))
  for (const { keyId, bytes } of trusted) {
    if (verify(null, manifest, policy.keys.get(keyId)!, bytes)) continue
    throw refuse(source, `the signature of key ${short(keyId)} does not fit the manifest's bytes`)
  }
  if (trusted.length === 0 && policy.isRequired) throw refuse(source, missing(found, policy))
  return trusted[0]?.keyId ?? null
}

const missing = (found: readonly Signature[], { keys }: SignaturePolicy): string => {
  const signers = found.map(({ keyId }) => short(keyId)).join(', ')
  const what = found.length === 0 ? 'no signature' : `signatures of ${signers} only`
  const expected = [...keys.keys()].map(short).join(' or ') || 'a key, and none is trusted here'
  return `found ${what} in ${signatureFileName}, expected one of ${expected} (WEIR_MODEL_KEYS)`
}

/** The text of manifest.json.sig with this key's signature; those of other keys stay. */
export function addSignature(manifest: Uint8Array, key: KeyObject, former: string | null): string {
  const keyId = keyIdOf(createPublicKey(key))
  const others = (former === null ? [] : parseSignatures(former, signatureFileName)).filter(
    (other) => other.keyId !== keyId,
  )
  const own = { keyId, bytes: sign(null, manifest, key) }
  return [...others, own].map((one) => `${formatLine(one)}\n`).join('')
}

export const keyIdOf = (publicKey: KeyObject): string =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')

const formatLine = ({ keyId, bytes }: Signature): string =>
  `ed25519 ${keyId} ${bytes.toString('base64')}`

const signatureLine = /^ed25519 ([0-9a-f]{64}) ([A-Za-z0-9+/]{86}==)$/

function parseSignatures(text: string, source: string): readonly Signature[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length > signersMax) throw refuse(source, `${lines.length} lines of signatures`)
  return lines.map((line, index) => {
    const [, keyId, base64] = signatureLine.exec(line.trim()) ?? []
    if (keyId === undefined || base64 === undefined) {
      const expected = 'expected `ed25519 <key id> <signature in base64>`'
      throw refuse(
        source,
        `line ${index + 1} of ${signatureFileName} is not a signature, ${expected}`,
      )
    }
    return { keyId, bytes: Buffer.from(base64, 'base64') }
  })
}

const short = (keyId: string): string => keyId.slice(0, 12)

const refuse = (source: string, detail: string): WeirError =>
  new WeirError('WEIR_CLASSIFY_SIGNATURE_REFUSED', `${source}: ${detail}.`)
