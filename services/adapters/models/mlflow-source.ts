// The model source port on an MLflow server: name and version or alias in, a verified folder of the
// cache out.
//
//   alias ─► version ─► manifest.json ─► signature ─► cached? ─no─► every file, by hash ─► cache
//
// Refused: a manifest of another name or version, a file whose hash is not the manifest's
// (WEIR_CLASSIFY_MODEL_REFUSED), a signature that is not trusted, before any other file is asked
// for. A server that is away is a signal, not an end, where the answer to the same question is
// in the cache. Each fetch tells whether the server answered. Invariant: nothing enters the cache
// unverified, and nothing leaves it unverified.

import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { ModelReference } from '../../core/pipeline-definition.ts'
import { type ModelManifest, parseManifest } from '../../models/manifest.ts'
import {
  checkSignature,
  manifestFileName,
  type SignaturePolicy,
  signatureFileName,
} from '../../models/manifest-signature.ts'
import type { ModelSource } from '../../models/model-source.ts'
import type { ModelOrigin, Observe } from '../../pipeline/observe/signals.ts'
import type { CachedModel } from './cache-entries.ts'
import { isAway, type MlflowClient } from './mlflow-client.ts'
import {
  findArtifact,
  findArtifacts,
  findVersion,
  getArtifact,
  isAlias,
} from './mlflow-registry.ts'
import type { ModelCache } from './model-cache.ts'
import { checkModelFile, filesOf, sha256Of } from './model-folder.ts'

type MlflowSourceOptions = {
  readonly client: MlflowClient
  readonly cache: ModelCache
  readonly signatures: SignaturePolicy
  readonly observe: Observe
}

type Found = { readonly model: CachedModel; readonly from: ModelOrigin }

export const createMlflowSource = (options: MlflowSourceOptions): ModelSource => ({
  fetch: async (asked) => {
    const startedMs = performance.now()
    const { model, from } = await find(options, asked)
    const { reference, manifestSha256 } = model
    options.observe({
      kind: 'model_fetched',
      name: reference.name,
      version: reference.version,
      asked: asked.version,
      from,
      manifestSha256,
      signedBy: checkCached(options, model),
      durationMs: performance.now() - startedMs,
    })
    return reference
  },
})

async function find(options: MlflowSourceOptions, asked: ModelReference): Promise<Found> {
  const { client, cache, observe } = options
  const question = `${client.url}\n${asked.name}\n${asked.version}`
  try {
    const found = await findAtServer(options, asked)
    tellConnection(options, 'up', '')
    await cache.remember(question, found.model.manifestSha256)
    return found
  } catch (error) {
    if (!isAway(error)) {
      // A refusal is an answer; what else went wrong says nothing of the server.
      if (isRefusal(error)) tellConnection(options, 'up', '')
      throw error
    }
    tellConnection(options, 'down', error.message)
    const known = await cache.recall(question)
    const model = known === null ? null : await cache.open(known)
    if (model === null) throw error
    refuseOther(parseManifest(model.manifest.toString(), manifestFileName), asked)
    observe({
      kind: 'model_registry_away',
      asked: `${asked.name} ${asked.version}`,
      detail: error.message,
    })
    return { model, from: 'cache_while_away' }
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof WeirError && error.code === 'WEIR_CLASSIFY_REGISTRY_REFUSED'

const tellConnection = (
  { observe }: MlflowSourceOptions,
  state: 'up' | 'down',
  detail: string,
): void => observe({ kind: 'connection', system: 'mlflow', state, detail })

async function findAtServer(options: MlflowSourceOptions, asked: ModelReference): Promise<Found> {
  const { client, cache, signatures: policy } = options
  const version = await findVersion(client, asked.name, asked.version)
  const folder = await findArtifacts(client, version)
  const source = `${client.url} ${asked.name} version ${version.version}`
  const manifest = await getArtifact(client, `${folder}/${manifestFileName}`)
  const signatures = await findSignatures(client, folder)
  checkSignature(manifest, signatures, { policy, source })
  const parsed = parseManifest(manifest.toString(), source)
  refuseOther(parsed, asked)
  const cached = await cache.open(sha256Of(manifest))
  if (cached !== null) {
    if (cached.signatures === signatures) return { model: cached, from: 'cache' }
    await cache.sign(cached.manifestSha256, signatures)
    return { model: { ...cached, signatures }, from: 'cache' }
  }
  const files = new Map<string, Uint8Array>()
  for (const [name, file] of filesOf(parsed)) {
    const path = `${folder}/${name}`
    const bytes = await download(client, path)
    checkModelFile({ path: `${client.url} ${path}`, bytes, manifest: parsed, file })
    files.set(name, bytes)
  }
  return { model: await cache.store({ manifest, signatures, files }), from: 'registry' }
}

const findSignatures = async (client: MlflowClient, folder: string): Promise<string | null> =>
  (await findArtifact(client, `${folder}/${signatureFileName}`))?.toString() ?? null

const download = (client: MlflowClient, path: string): Promise<Buffer> =>
  getArtifact(client, path, {
    bytesMax: limits.modelFileBytesMax,
    msMax: limits.modelTransferMsMax,
  })

/** Also of what is cached: keys may have been taken back since. */
const checkCached = (
  { signatures: policy }: MlflowSourceOptions,
  { manifest, signatures, reference }: CachedModel,
): string | null =>
  checkSignature(manifest, signatures, {
    policy,
    source: `${reference.name} ${reference.version} in the cache`,
  })

function refuseOther({ name, version }: ModelManifest, asked: ModelReference): void {
  if (name === asked.name && (isAlias(asked.version) || version === asked.version)) return
  throw new WeirError(
    'WEIR_CLASSIFY_MODEL_REFUSED',
    `${asked.name} ${asked.version} in the registry holds the manifest of ${name} ${version}.`,
  )
}
