// `weir models sign` and `weir models publish`: from the folder that training wrote to a registry.
//
// In: a model's folder, a private key or the settings of the place. Out: manifest.json.sig beside
// the manifest; a version in MLflow, and with --json one object as the last line. Refused before
// anything is changed: a folder that does not match its manifest, a key that is not an Ed25519
// private key, a place without WEIR_MLFLOW_URL. Invariant: nothing is signed or published whose
// hashes do not hold.

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { createMlflowClient } from '../adapters/models/mlflow-client.ts'
import { readModelParts } from '../adapters/models/model-folder.ts'
import { readSignaturePolicy } from '../adapters/models/open-model-source.ts'
import { type Publication, publishModel } from '../adapters/models/publish-model.ts'
import { WeirError } from '../core/errors.ts'
import { readSettings } from '../core/settings.ts'
import {
  addSignature,
  checkSignature,
  keyIdOf,
  signatureFileName,
} from '../models/manifest-signature.ts'
import { modelsGroup } from './models-group.ts'

type PublishFlags = {
  readonly experiment: string
  readonly alias: readonly string[]
  readonly json?: boolean
}

export function addModelPublishing(program: Command): void {
  const models = modelsGroup(program)
  models
    .command('sign <folder>')
    .description('sign a model, the folder that holds its manifest.json')
    .requiredOption('--key <file>', 'Ed25519 private key in a PEM file')
    .action(sign)
  models
    .command('publish <folder>')
    .description('put a model into a registry, with its metrics, lineage and signatures')
    .addOption(
      new Option('--to <registry>', 'the registry, WEIR_MLFLOW_URL')
        .choices(['mlflow'])
        .default('mlflow'),
    )
    .option('--alias <name...>', 'aliases to set on it, such as champion or challenger', [])
    .option('--experiment <name>', 'experiment of the run that holds the files', 'weir')
    .option('--json', 'print one JSON object on the last line')
    .action(publish)
}

async function sign(folder: string, { key: file }: { readonly key: string }): Promise<void> {
  const key = readPrivateKey(file)
  const { parsed, manifest, signatures } = await readModelParts(folder)
  const path = join(folder, signatureFileName)
  const draft = `${path}.tmp`
  await writeFile(draft, addSignature(manifest, key, signatures))
  await rename(draft, path)
  const keyId = keyIdOf(createPublicKey(key))
  process.stdout.write(`${path}: ${parsed.name} ${parsed.version}, signed by key ${keyId}\n`)
}

function readPrivateKey(file: string): KeyObject {
  let found: string
  try {
    const key = createPrivateKey(readFileSync(file))
    if (key.asymmetricKeyType === 'ed25519') return key
    found = `a key of the kind ${key.asymmetricKeyType}`
  } catch (error) {
    found = (error as Error).message
  }
  const expected = 'an Ed25519 private key without a passphrase in a PEM file'
  throw new WeirError('WEIR_SETTINGS_INVALID', `--key ${file}: ${found}, expected ${expected}.`)
}

async function publish(folder: string, flags: PublishFlags): Promise<void> {
  const { models } = readSettings(process.env)
  if (models.mlflow === null) {
    const expected = 'expected the address of the MLflow server'
    throw new WeirError('WEIR_SETTINGS_INVALID', `WEIR_MLFLOW_URL  found nothing, ${expected}.`)
  }
  refuseBadAlias(flags.alias)
  const parts = await readModelParts(folder)
  // What a scorer of this place would refuse is not put before it.
  checkSignature(parts.manifest, parts.signatures, {
    policy: readSignaturePolicy(models),
    source: folder,
  })
  const publication = await publishModel(createMlflowClient(models.mlflow), parts, {
    experiment: flags.experiment,
    aliases: flags.alias,
    nowMs: Date.now,
  })
  tell(publication, flags)
}

/** MLflow keeps latest and v1, v2, ... for itself. */
function refuseBadAlias(aliases: readonly string[]): void {
  const bad = aliases.find(
    (alias) => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(alias) || /^(?:latest|v\d+)$/i.test(alias),
  )
  if (bad === undefined) return
  const expected = 'letters, digits, dots, dashes and underscores, and neither latest nor v1'
  throw new WeirError('WEIR_SETTINGS_INVALID', `--alias ${bad}: expected ${expected}.`)
}

function tell(publication: Publication, { json }: PublishFlags): void {
  const { name, version, registryVersion, runId, aliases, isNew } = publication
  const what = isNew ? 'published' : 'was there already'
  const set = aliases.length === 0 ? '' : `, ${aliases.map((alias) => `@${alias}`).join(' ')}`
  process.stderr.write(
    `${name} ${version} ${what}: version ${registryVersion} in MLflow, run ${runId}${set}\n`,
  )
  if (json === true) process.stdout.write(`${JSON.stringify(publication)}\n`)
}
