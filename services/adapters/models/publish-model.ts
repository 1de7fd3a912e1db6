// A model that training made, put into an MLflow registry so that a scorer can fetch it.
//
//   run (metrics, params, data) ─► files, manifest.json last ─► version with tags ─► aliases last
//
// Refused with WEIR_CLASSIFY_REGISTRY_REFUSED: a version of the manifest that was published with
// other content, a server that does not hand out artifacts itself. Invariants: publishing the same
// again makes nothing new and moves the aliases only; what fails on the way has no version, no
// alias, and a run that says FAILED.

import { WeirError } from '../../core/errors.ts'
import type { ModelManifest } from '../../models/manifest.ts'
import { manifestFileName, signatureFileName } from '../../models/manifest-signature.ts'
import { isMissing, type MlflowClient } from './mlflow-client.ts'
import {
  artifactFolder,
  get,
  listPublications,
  type MlflowVersion,
  post,
  putArtifact,
  tagOf,
  versionTags,
} from './mlflow-registry.ts'
import type { ModelParts } from './model-folder.ts'
import { runRecordOf } from './run-record.ts'

type PublishOptions = {
  readonly experiment: string
  /** Without @. */
  readonly aliases: readonly string[]
  readonly nowMs: () => number
}

export type Publication = {
  readonly name: string
  readonly version: string
  /** MLflow's own number. */
  readonly registryVersion: string
  readonly runId: string
  readonly manifestSha256: string
  readonly aliases: readonly string[]
  /** Whether it was made now; else it was there already. */
  readonly isNew: boolean
}

type Run = { readonly run_id: string; readonly artifact_uri: string }
/** Beside the artifacts of other tools in the same run. */
const folderInRun = 'model'

export async function publishModel(
  client: MlflowClient,
  parts: ModelParts,
  options: PublishOptions,
): Promise<Publication> {
  const { name, version } = parts.parsed
  const known = await findSame(client, parts)
  const made = known ?? (await publishAnew(client, parts, options))
  for (const alias of options.aliases) {
    const body = { name, alias, version: made.version }
    await post(client, 'registered-models/alias', body, true)
  }
  return {
    name,
    version,
    registryVersion: made.version,
    runId: made.run_id ?? '',
    manifestSha256: parts.manifestSha256,
    aliases: options.aliases,
    isNew: known === null,
  }
}

/** A version never changes its content: the same is found again, another one is refused. */
async function findSame(client: MlflowClient, parts: ModelParts): Promise<MlflowVersion | null> {
  const { name, version } = parts.parsed
  const publications = await listPublications(client, name, version)
  const other = publications.find(
    (one) => tagOf(one, versionTags.manifestSha256) !== parts.manifestSha256,
  )
  if (other !== undefined) {
    throw new WeirError(
      'WEIR_CLASSIFY_REGISTRY_REFUSED',
      `${name} ${version} was published as version ${other.version} with the manifest ` +
        `${tagOf(other, versionTags.manifestSha256)}, found ${parts.manifestSha256}, expected the ` +
        'same content or a new version in the training config.',
    )
  }
  return publications[0] ?? null
}

async function publishAnew(
  client: MlflowClient,
  parts: ModelParts,
  { experiment, nowMs }: PublishOptions,
): Promise<MlflowVersion> {
  const { name, version } = parts.parsed
  const run = await startRun(client, { experiment, name: `${name} ${version}`, nowMs: nowMs() })
  try {
    const record = runRecordOf(parts.parsed, nowMs())
    await post(client, 'runs/log-batch', { run_id: run.run_id, ...record.batch }, true)
    const { datasets } = record
    await post(client, 'runs/log-inputs', { run_id: run.run_id, datasets }, true)
    await upload(client, run, parts)
    await makeModel(client, name)
    const made = await makeVersion(client, run, parts)
    await endRun(client, run, 'FINISHED', nowMs())
    return made
  } catch (error) {
    // The first failure is the one to tell; a server that is away now cannot be told.
    await endRun(client, run, 'FAILED', nowMs()).catch(() => undefined)
    throw error
  }
}

async function startRun(
  client: MlflowClient,
  { experiment, name, nowMs }: { experiment: string; name: string; nowMs: number },
): Promise<Run> {
  const body = {
    experiment_id: await findExperiment(client, experiment),
    run_name: name,
    start_time: nowMs,
  }
  const { run } = await post<{ run: { info: Run } }>(client, 'runs/create', body)
  return run.info
}

async function findExperiment(client: MlflowClient, name: string): Promise<string> {
  const query = { experiment_name: name }
  try {
    const found = await get<{ experiment: { experiment_id: string } }>(
      client,
      'experiments/get-by-name',
      query,
    )
    return found.experiment.experiment_id
  } catch (error) {
    if (!isMissing(error)) throw error
    const made = await post<{ experiment_id: string }>(client, 'experiments/create', { name })
    return made.experiment_id
  }
}

async function upload(client: MlflowClient, run: Run, parts: ModelParts): Promise<void> {
  const folder = `${artifactFolder(run.artifact_uri)}/${folderInRun}`
  for (const [file, bytes] of parts.files) await putArtifact(client, `${folder}/${file}`, bytes)
  if (parts.signatures !== null) {
    const bytes = Buffer.from(parts.signatures)
    await putArtifact(client, `${folder}/${signatureFileName}`, bytes)
  }
  await putArtifact(client, `${folder}/${manifestFileName}`, parts.manifest)
}

async function makeModel(client: MlflowClient, name: string): Promise<void> {
  try {
    await get(client, 'registered-models/get', { name })
  } catch (error) {
    if (!isMissing(error)) throw error
    await post(client, 'registered-models/create', { name })
  }
}

async function makeVersion(
  client: MlflowClient,
  run: Run,
  { parsed, manifestSha256 }: ModelParts,
): Promise<MlflowVersion> {
  const { model_version: made } = await post<{ model_version: MlflowVersion }>(
    client,
    'model-versions/create',
    {
      name: parsed.name,
      source: `${run.artifact_uri}/${folderInRun}`,
      run_id: run.run_id,
      tags: tagsOf(parsed, manifestSha256),
    },
  )
  return made
}

const tagsOf = ({ version, featureSet }: ModelManifest, manifestSha256: string) => [
  { key: versionTags.version, value: version },
  { key: versionTags.manifestSha256, value: manifestSha256 },
  { key: versionTags.featureSet, value: featureSet.hash },
]

const endRun = (
  client: MlflowClient,
  { run_id }: Run,
  status: 'FINISHED' | 'FAILED',
  end_time: number,
): Promise<unknown> => post(client, 'runs/update', { run_id, status, end_time }, true)
