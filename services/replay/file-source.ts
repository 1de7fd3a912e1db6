// Files as the source of a replay.
//
// In: paths and a definition. Out: both streams in the order of time, through one lane each.
// Refused: files that cannot be read, or that are too large to be sorted (WEIR_FILE_INVALID).
// Invariants: a row that is no event goes to `reject` and into no batch; the same rows give the
// same batches' content, however they are spread over files.

import { openEventFile } from '../adapters/event-files/event-file.ts'
import { expandPaths } from '../adapters/event-files/expand-paths.ts'
import { transactionRows } from '../adapters/event-files/row-mappings.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { createBrake } from '../pipeline/decide/decide.ts'
import type { EnrichedBatch, ScoredBatch, Transaction } from '../pipeline/records.ts'
import { planValidate } from '../pipeline/validate/validate.ts'
import { openLabelFiles } from './label-files.ts'
import { type ExaminedFile, examineFile, mergeByTime } from './ordered-events.ts'
import { LABEL_LANE, replayBatches, TRANSACTION_LANE } from './replay-batches.ts'
import type { Refused, ReplaySource } from './replay-source.ts'

export type FileHistory = {
  readonly transactionFiles: readonly string[]
  readonly labelFiles: readonly string[]
}

export async function openFileSource(
  { transactionFiles, labelFiles }: FileHistory,
  definition: PipelineDefinition,
  signal?: AbortSignal,
): Promise<ReplaySource> {
  const transactions: ExaminedFile<Transaction>[] = []
  for (const [i, path] of (await expandPaths(transactionFiles)).entries()) {
    const file = openEventFile(path, transactionRows(definition), i)
    transactions.push(await examineFile(file, signal))
  }
  const labels = await openLabelFiles(labelFiles, transactions, definition, signal)
  const names = {
    transactions: transactions.map(({ file }) => file.name),
    labels: labels.files.map(({ file }) => file.name),
  }
  return {
    transactionsExpected: countRows(transactions),
    readLabels: labels.readVerdicts,
    readBatches: async function* ({ claim, batchEvents, reject }) {
      yield* replayBatches({
        transactions: mergeByTime(transactions),
        labels: labels.readInOrder(),
        rules: planValidate(definition),
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
    refusedIn: listSetAside,
    received: () => ({ transactions: countRows(transactions), labels: countRows(labels.files) }),
    describe: async () => ({
      transactions: await describeFiles(transactions),
      labels: await describeFiles(labels.files),
    }),
    close: async () => undefined,
  }
}

/** A batch of rows of files knows their ids alone: what cannot be read never enters one. */
function listSetAside(
  { batch, arrivalIndexes }: EnrichedBatch,
  setAside: ScoredBatch['setAside'],
): readonly Refused[] {
  return [...(setAside ?? [])].map(([row, rejection]) => {
    const { transactionId } = batch.arrivals[arrivalIndexes[row]!]!.transaction!
    return { stream: 'transactions', place: { transactionId }, rejection }
  })
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
