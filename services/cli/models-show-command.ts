// `weir models show`: the card of a model, in the terminal, as a page, or as one JSON object.
//
// In: a model's folder, or a name and a version below --source; of the environment the trusted keys
// and, with --pipeline, the way to the ledger. Out: the card, with who let the model score and why
// where --pipeline asks for it. Refused with WEIR_CLASSIFY_MODEL_REFUSED: a folder that does not
// match its manifest. Invariant: nothing is shown of a model whose hashes do not hold; no graph is
// opened.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { readModelParts } from '../adapters/models/model-folder.ts'
import { readSignaturePolicy } from '../adapters/models/open-model-source.ts'
import { readSettings } from '../core/settings.ts'
import { type CardSource, composeCard, drawCard, writeCard } from '../gates/model-card.ts'
import { attempt } from '../gates/model-evidence.ts'
import { checkSignature } from '../models/manifest-signature.ts'
import { lifeOf } from '../roster/model-life.ts'
import { modelsGroup } from './models-group.ts'
import { withLedger } from './models-roster-command.ts'

type Flags = {
  readonly source: string
  readonly pipeline?: string
  readonly html?: string
  readonly json?: boolean
}

export function addModelsShow(program: Command): void {
  modelsGroup(program)
    .command('show')
    .description(
      'the card of a model: data, features, metrics, thresholds, bias, lineage, signature',
    )
    .argument('<model>', 'folder that holds manifest.json, or a name')
    .argument('[version]', 'of the name')
    .option('--source <folder>', 'where names are looked up', 'models')
    .option('--pipeline <file>', 'add who promoted it and why, from the ledger of this pipeline')
    .option('--html <file>', 'write the card as a page')
    .option('--json', 'print one JSON object')
    .action(show)
}

async function show(model: string, version: string | undefined, flags: Flags): Promise<void> {
  const folder = version === undefined ? model : join(flags.source, model, version)
  const source = await readCardSource(folder, flags.pipeline)
  const card = composeCard(source)
  if (flags.html !== undefined) writeFileSync(flags.html, drawCard(source, card))
  const text = flags.json === true ? JSON.stringify(source) : writeCard(source, card)
  process.stdout.write(`${text}\n`)
}

export async function readCardSource(folder: string, pipeline?: string): Promise<CardSource> {
  const { parsed, manifest, manifestSha256, signatures } = await readModelParts(folder)
  const policy = readSignaturePolicy(readSettings(process.env).models)
  const key = attempt(() => checkSignature(manifest, signatures, { policy, source: folder }))
  const source = { manifest: parsed, manifestSha256, signature: describe(key, signatures) }
  if (pipeline === undefined) return source
  const { steps } = await withLedger({ pipeline }, (ledger) => ledger.read())
  return { ...source, life: lifeOf(parsed, steps) }
}

function describe(key: ReturnType<typeof attempt<string | null>>, signatures: string | null) {
  if ('fault' in key) return key.fault
  if (key.value !== null) return `Signed by the trusted key ${key.value}.`
  return signatures === null ? 'Not signed.' : 'Signed, by no key that is trusted here.'
}
