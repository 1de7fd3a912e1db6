// `weir models validate <folder>`: the gates of model-gates.ts before a model gets traffic.
//
// In: a model's folder, a pipeline file, backtests, limits; of the environment the trusted keys.
// Out: one line for each gate, or one JSON object, and a page if asked for; exit code 0 where no
// gate failed, 1 where one did, 2 for what was refused before anything was judged: a folder without
// manifest.json, a pipeline file or a backtest that cannot be read.

import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { readSignaturePolicy } from '../adapters/models/open-model-source.ts'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { limits } from '../core/limits.ts'
import { readSettings } from '../core/settings.ts'
import { readBacktestRun } from '../gates/backtest-gates.ts'
import { drawGates } from '../gates/gates-page.ts'
import { collectEvidence } from '../gates/model-evidence.ts'
import { type GateRow, type Judgement, judgeModel } from '../gates/model-gates.ts'
import { findExtremes } from '../pipeline/enrich/feature-extremes.ts'
import { modelsGroup } from './models-group.ts'

type ValidateFlags = {
  readonly pipeline?: string
  readonly backtest?: string
  readonly championBacktest?: string
  readonly margin: number
  readonly biasRatio: number
  readonly biasGenuine: number
  readonly parity?: string
  readonly latencyBudget?: number
  readonly latencyRows: number
  readonly sizeMax: number
  readonly html?: string
  readonly json?: boolean
}

const MIB = 1024 * 1024

export function addModelsValidate(program: Command): void {
  modelsGroup(program)
    .command('validate')
    .description('the gates before a model gets traffic; exit code 1 if one fails')
    .argument('<folder>', 'folder that holds manifest.json')
    .option('--pipeline <file>', 'pipeline file whose features the model must have')
    .option(
      '--size-max <mib>',
      'largest file of the model, in MiB',
      readNumber,
      limits.modelGateFileBytesMax / MIB,
    )
    .option(
      '--parity <file>',
      'rows and scores of the training library, in place of those that the manifest names',
    )
    .option('--latency-budget <ms>', 'what p99 of a run may take on this machine', readNumber)
    .option('--latency-rows <n>', 'rows of such a run', readCount, 1000)
    .option('--backtest <folder>', 'run of `weir replay` that measured this model')
    .option('--champion-backtest <folder>', 'run that measured the champion on the same events')
    .option(
      '--margin <difference>',
      'how far a measure may lie below the champion',
      readNumber,
      0.01,
    )
    .option(
      '--bias-ratio <ratio>',
      'false-positive rate of a segment, in times the overall one',
      readNumber,
      3,
    )
    .option('--bias-genuine <n>', 'genuine events from which a segment is judged', readCount, 1000)
    .option('--html <file>', 'write the verdicts as a page')
    .option('--json', 'print one JSON object')
    .action(async (folder: string, flags: ValidateFlags) => {
      const found = await validateModel(folder, flags)
      const { model: _, ...told } = found
      const text = flags.json === true ? JSON.stringify({ folder, ...told }) : lay(found.gates)
      process.stdout.write(`${text}\n`)
      if (flags.html !== undefined) writeFileSync(flags.html, drawGates(found))
      if (!found.isPassed) process.exitCode = 1
    })
}

async function validateModel(folder: string, flags: ValidateFlags): Promise<Judgement> {
  const signatures = readSignaturePolicy(readSettings(process.env).models)
  const { pipeline, latencyBudget, latencyRows, backtest, championBacktest } = flags
  const parityFile = flags.parity ?? null
  const sizeBytesMax = flags.sizeMax * MIB
  const latency =
    latencyBudget === undefined ? null : { rows: latencyRows, budgetMs: latencyBudget }
  const definition = pipeline === undefined ? null : loadPipelineFile(pipeline)
  const terms = {
    sizeBytesMax,
    features: definition?.features.map(({ name }) => name) ?? null,
    isSigned: signatures.isRequired,
    latency,
    run: backtest === undefined ? null : readBacktestRun(backtest),
    championRun: championBacktest === undefined ? null : readBacktestRun(championBacktest),
    margin: flags.margin,
    biasRatioMax: flags.biasRatio,
    biasGenuineMin: flags.biasGenuine,
  }
  const evidence = await collectEvidence(folder, {
    signatures,
    sizeBytesMax,
    parityFile,
    latencyRows: latency?.rows ?? null,
    extremes: definition === null ? null : findExtremes(definition),
  })
  const gates = judgeModel(evidence, terms)
  const { manifest, manifestSha256 } = evidence
  return {
    manifestSha256,
    model: 'value' in manifest ? manifest.value : null,
    isPassed: gates.every(({ verdict }) => verdict !== 'failed'),
    gates,
  }
}

const lay = (rows: readonly GateRow[]): string =>
  rows
    .map(
      ({ gate, verdict, found, limit }) =>
        `${verdict.padEnd(8)} ${gate.padEnd(17)} ${found}  (limit: ${limit})`,
    )
    .join('\n')

function readNumber(text: string): number {
  if (/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a number from 0.')
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1 to 999999.')
}
