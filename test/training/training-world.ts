// A small world to train in, and the training as a process.
//
// Out: the interpreter that trains, or why there is none (then the tests are skipped with that
// reason); histories as NDJSON files; a pipeline without features of labels, so that labels are
// verdicts and nothing else; a run of `npm run train` with its exit code and what it said.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { generateHistory } from '../../load/generator/timeline.ts'
import { openPython } from '../../training/open-python.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { type SmallHistory, writeNdjson } from '../replay/replay-world.ts'

export type Interpreter = { readonly python: string; readonly absent: null } | NoInterpreter
type NoInterpreter = { readonly python: null; readonly absent: string }

/** Makes training/.venv where packages can be installed, as the training itself would. */
export function findInterpreter(): Interpreter {
  try {
    const python = openPython()
    const asked = spawnSync(python, ['-c', 'import lightgbm, onnx, onnxruntime, pyarrow, sklearn'])
    if (asked.status === 0) return { python, absent: null }
    return { python: null, absent: `${python} lacks training/requirements.txt: ${asked.stderr}` }
  } catch (error) {
    return { python: null, absent: (error as Error).message }
  }
}

export const trainingHistory = (): SmallHistory =>
  generateHistory({
    seed: 31,
    customers: 150,
    terminals: 60,
    days: 60,
    startTimeMs: Date.UTC(2025, 5, 1),
    transactionsPerCustomerPerDay: 2,
    fraudShare: 0.06,
    genuineLabelShare: 0,
    labelDelayMeanDays: 6,
  })

/** The ranges of the config below, in ms. */
export const validateRange = { fromMs: Date.UTC(2025, 5, 28), toMs: Date.UTC(2025, 6, 12) }
export const madeAtMs = Date.UTC(2025, 6, 19)

const pipelineText = `
pipeline: small
entities:
  customer: { key: [customerId] }
  terminal: { key: [terminalId] }
features:
  - { name: amount, field: amountMinor, scale: 0.01 }
  - { name: is_night, calendar: { hours: [0, 6] } }
  - { name: "customer_count_{window}", entity: customer, op: count, windows: [1h, 1d, 7d] }
  - { name: customer_mean_30d, entity: customer, op: mean, of: amountMinor, scale: 0.01, window: 30d, current: false }
  - { name: amount_by_mean, ratio: [amount, customer_mean_30d] }
  - { name: terminal_count_1d, entity: terminal, op: count, window: 1d }
validate: { ageMax: 400d, futureMax: 60s }
late: { allowed: 10m, then: score_only }
model: { name: small, version: "0", source: models/ }
policy: { review: 0.5, block: 0.9, flaggedShareMax: 1 }
`

export type World = {
  readonly folder: string
  /** Writes a config of its own and gives its path. */
  readonly writeConfig: (name: string, changes?: Readonly<Record<string, unknown>>) => string
}

export function writeWorld(folder: string, { transactions, labels }: SmallHistory): World {
  const pipeline = join(folder, 'pipeline.yaml')
  writeFileSync(pipeline, pipelineText)
  const config = {
    pipeline,
    model: { name: 'small', version: '1' },
    cache: join(folder, 'cache'),
    seed: 9,
    createdAt: '2026-02-01',
    histories: {
      past: {
        transactions: [writeNdjson(folder, 'transactions.ndjson', transactions)],
        labels: [writeNdjson(folder, 'labels.ndjson', labels)],
      },
    },
    split: {
      labelDelay: '7d',
      folds: [
        {
          train: { from: '2025-06-01', to: '2025-06-21' },
          validate: { from: '2025-06-28', to: '2025-07-12' },
        },
      ],
      test: [{ from: '2025-07-19', to: '2025-07-31' }],
    },
    boosting: { num_leaves: 7 },
    search: { grid: { learning_rate: [0.05, 0.2], feature_fraction: [0.7, 1] }, draws: 2 },
    rounds: { max: 40, patience: 8 },
    thresholds: { review: { falsePositiveRate: 0.02 }, block: { falsePositiveRate: 0.002 } },
  }
  return {
    folder,
    writeConfig: (name, changes = {}) => {
      const path = join(folder, `${name}.yaml`)
      // JSON is YAML, too.
      writeFileSync(path, JSON.stringify({ ...config, out: join(folder, name), ...changes }))
      return path
    },
  }
}

export type Trained = { readonly code: number; readonly stdout: string; readonly stderr: string }

export async function runTrain(
  python: string,
  flags: readonly string[],
  /** Sent once when the process says so. */
  interrupt?: { readonly whenSaid: string; readonly signal: NodeJS.Signals },
): Promise<Trained> {
  const child = spawn(process.execPath, [repositoryPath('training/main.ts'), ...flags], {
    cwd: repositoryPath('.'),
    env: { ...process.env, WEIR_TRAINING_PYTHON: python },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  let isSent = false
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
    if (interrupt === undefined || isSent || !stderr.includes(interrupt.whenSaid)) return
    isSent = true
    child.kill(interrupt.signal)
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}
