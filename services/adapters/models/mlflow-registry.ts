// What Weir asks of MLflow's model registry, in Weir's words.
//
// A registered model is a model of Weir; an MLflow version (1, 2, ...) is one publication of it.
// The manifest's own version stands in the tag weir.version, because it is the one that scored
// events name. Refused with WEIR_CLASSIFY_REGISTRY_REFUSED: a version or alias that is not there,
// one that was published twice with different manifests, artifacts that the server does not hand
// out itself. Invariant: aliases and tags only say where to look; what was found is believed for
// its hashes and signatures.

import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { isMissing, type MlflowClient } from './mlflow-client.ts'

/** Tags of a version in MLflow. */
export const versionTags = {
  version: 'weir.version',
  manifestSha256: 'weir.manifest_sha256',
  featureSet: 'weir.feature_set',
} as const

export type MlflowVersion = {
  readonly name: string
  /** MLflow's own number, as text. */
  readonly version: string
  readonly run_id?: string
  readonly tags?: readonly { readonly key: string; readonly value: string }[]
}

const api = '/api/2.0/mlflow'
const artifactApi = '/api/2.0/mlflow-artifacts/artifacts'
const artifactScheme = /^mlflow-artifacts:(?:\/\/[^/]+)?\//

export const isAlias = (version: string): boolean => version.startsWith('@')

/** @param asked a version of the manifest, or `@` and an alias. */
export async function findVersion(
  client: MlflowClient,
  name: string,
  asked: string,
): Promise<MlflowVersion> {
  if (isAlias(asked)) return findByAlias(client, name, asked.slice(1))
  const found = await listPublications(client, name, asked)
  const hashes = new Set(found.map((version) => tagOf(version, versionTags.manifestSha256)))
  const [newest] = found
  if (newest === undefined) {
    throw refuse(
      `${name} ${asked}: found no version with the tag ${versionTags.version}=${asked} at ` +
        `${client.url}, expected one that \`weir models publish\` made`,
    )
  }
  if (hashes.size > 1) {
    const numbers = found.map(({ version }) => version).join(', ')
    throw refuse(`${name} ${asked}: found different manifests in versions ${numbers}, expected one`)
  }
  return newest
}

async function findByAlias(client: MlflowClient, name: string, alias: string) {
  const { model_version: found } = await client.ask<{ model_version: MlflowVersion }>({
    method: 'GET',
    path: `${api}/registered-models/alias`,
    query: { name, alias },
  })
  return found
}

/** Versions in MLflow of one version of the manifest, newest first. */
export async function listPublications(
  client: MlflowClient,
  name: string,
  version: string,
): Promise<readonly MlflowVersion[]> {
  const { model_versions: found = [] } = await client.ask<{ model_versions?: MlflowVersion[] }>({
    method: 'GET',
    path: `${api}/model-versions/search`,
    // Names and versions are letters, digits, dots, dashes and underscores: nothing to escape.
    query: {
      filter: `name='${name}' and tags.\`${versionTags.version}\`='${version}'`,
      max_results: '100',
    },
  })
  return [...found].sort((a, b) => Number(b.version) - Number(a.version))
}

export const tagOf = ({ tags = [] }: MlflowVersion, key: string): string | null =>
  tags.find((tag) => tag.key === key)?.value ?? null

/** Where the version's files are, for `getArtifact`. */
export async function findArtifacts(
  client: MlflowClient,
  { name, version }: MlflowVersion,
): Promise<string> {
  const { artifact_uri: uri } = await client.ask<{ artifact_uri: string }>({
    method: 'GET',
    path: `${api}/model-versions/get-download-uri`,
    query: { name, version },
  })
  return artifactFolder(uri)
}

/** `mlflow-artifacts:/1/RUN/artifacts/model` to `1/RUN/artifacts/model`. */
export function artifactFolder(uri: string): string {
  if (artifactScheme.test(uri)) return uri.replace(artifactScheme, '').replace(/\/+$/, '')
  throw refuse(
    `artifacts lie at ${uri}, expected mlflow-artifacts:/...: start the server with ` +
      '--serve-artifacts and --artifacts-destination, so that it hands them out itself',
  )
}

export const getArtifact = (
  client: MlflowClient,
  path: string,
  bounds: { readonly bytesMax?: number; readonly msMax?: number } = {},
): Promise<Buffer> => client.transfer({ method: 'GET', path: artifactPath(path), ...bounds })

/** null where there is none. */
export async function findArtifact(client: MlflowClient, path: string): Promise<Buffer | null> {
  try {
    return await getArtifact(client, path)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

export async function putArtifact(
  client: MlflowClient,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const msMax = limits.modelTransferMsMax
  await client.transfer({ method: 'PUT', path: artifactPath(path), body: bytes, msMax })
}

const artifactPath = (path: string): string =>
  `${artifactApi}/${path.split('/').map(encodeURIComponent).join('/')}`

/** A POST below MLflow's own API. */
export const post = <T>(
  client: MlflowClient,
  path: string,
  body: unknown,
  isRepeatable = false,
): Promise<T> => client.ask<T>({ method: 'POST', path: `${api}/${path}`, body, isRepeatable })

export const get = <T>(
  client: MlflowClient,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<T> => client.ask<T>({ method: 'GET', path: `${api}/${path}`, query })

const refuse = (detail: string): WeirError =>
  new WeirError('WEIR_CLASSIFY_REGISTRY_REFUSED', `${detail}.`)
