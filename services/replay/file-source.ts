// Files as the source of a replay.
//
// In: paths and a definition. Out: both streams in the order of time, through one lane each. Refused:
// files that cannot be read, or that are too large to be sorted (WEIR_FILE_INVALID). Invariants: a row
// that is no event goes to `reject` and into no batch; the same rows give the same batches' content,
// however they are spread over files.

import { openLabelFile, openTransactionFile } from '../adapters/file/event-file.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { createBrake } from '../pipeline/decide/decide.ts'
import type { Label, Transaction } from '../pipeline/records.ts'
import { type ValidateRules, validateLabel } from '../pipeline/validate/validate.ts'
import { type ExaminedFile, examineFile, mergeByTime } from './ordered-events.ts'
import { LABEL_LANE, replayBatches, TRANSACTION_LANE } from './replay-batches.ts'
import type { ReplaySource } from './replay-source.ts'

export type FileHistory = {
  readonly transactionFiles: readonly string[]
  readonly labelFiles: readonly string[]
}

export async function openFileSource(
  { transactionFiles, labelFiles }: FileHistory,
  definition: PipelineDefinition,
  signal?: AbortSignal,
): Promise<ReplaySource> {
  const { transactionColumns, labelColumns } = definition.input
  const transactions: ExaminedFile<Transaction>[] = []
  for (const [i, path] of transactionFiles.entries()) {
    transactions.push(await examineFile(openTransactionFile(path, transactionColumns, i), signal))
  }
  const labels: ExaminedFile<Label>[] = []
  for (const [i, path] of labelFiles.entries()) {
    labels.push(await examineFile(openLabelFile(path, labelColumns, i), signal))
  }
  const names = {
    transactions: transactions.map(({ file }) => file.name),
    labels: labels.map(({ file }) => file.name),
  }
  return {
    transactionsExpected: countRows(transactions),
    readLabels: () => readLabels(labels, definition.validate),
    readBatches: async function* ({ claim, batchEvents, reject }) {
      yield* replayBatches({
        transactions: mergeByTime(transactions),
        labels: mergeByTime(labels),
        rules: definition.validate,
        batchEvents,
        epochs: [await claim(TRANSACTION_LANE), await claim(LABEL_LANE)],
        brakes: [createBrake(), createBrake()],
        reject: ({ stream, file, row, rejection }) => {
          // Rows are numbered from 1, as an editor does.
          const place = { file: names[stream][file]!, row: row + 1 }
          reject({ stream, place, rejection })
        },
      })
    },
    refusedIn: () => [],
    received: () => ({ transactions: countRows(transactions), labels: countRows(labels) }),
    describe: async () => ({
      transactions: await describeFiles(transactions),
      labels: await describeFiles(labels),
    }),
    close: async () => undefined,
  }
}

async function* readLabels(
  files: readonly ExaminedFile<Label>[],
  rules: ValidateRules,
): AsyncGenerator<readonly Label[], void, undefined> {
  for (const { file } of files) {
    for await (const events of file.readEvents()) {
      const accepted: Label[] = []
      for (const { value, timeMs } of events) {
        if (value === null) continue
        const raw = { offset: 0, brokerTimeMs: timeMs, key: null, value: null }
        if (validateLabel(value, raw, rules) === null) accepted.push(value)
      }
      yield accepted
    }
  }
}

async function describeFiles(files: readonly ExaminedFile<unknown>[]) {
  const described = []
  for (const { file, rows, isOrdered } of files) {
    const order = isOrdered ? 'by time' : 'sorted in memory'
    described.push({ name: file.name, ...(await file.fingerprint()), rows, order })
  }
  return described
}

const countRows = (files: readonly ExaminedFile<unknown>[]): number =>
  files.reduce((sum, { rows }) => sum + rows, 0)
