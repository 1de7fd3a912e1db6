// Files of labels as the two things a replay wants of them: verdicts to measure by, and a stream.
//
// In: paths, the pipeline's input section, the files of transactions. Out: examined files; their
// labels as they stand; their labels in the order of time, made whole where the files hold ids and
// verdicts alone (`input.labelLookup`). Refused: files that cannot be read (WEIR_FILE_INVALID).
// Invariant: what the transactions are asked for is never later than the label that asks.

import type { BareLabel, FileEvent } from '../adapters/event-files/event-block.ts'
import {
  type EventFile,
  openBareLabelFile,
  openKeyFile,
  openLabelFile,
} from '../adapters/event-files/event-file.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Label, RawMessage, Rejection } from '../pipeline/records.ts'
import { validateLabel } from '../pipeline/validate/validate.ts'
import { completeLabels } from './complete-labels.ts'
import { type ExaminedFile, examineFile, mergeByTime } from './ordered-events.ts'

type LabelFiles = {
  readonly files: readonly ExaminedFile<unknown>[]
  /** File after file, without those that are refused. */
  readonly readVerdicts: () => AsyncGenerator<readonly BareLabel[], void, undefined>
  readonly readInOrder: () => AsyncGenerator<readonly FileEvent<Label>[], void, undefined>
}

export async function openLabelFiles(
  paths: readonly string[],
  transactions: readonly ExaminedFile<unknown>[],
  definition: PipelineDefinition,
  signal?: AbortSignal,
): Promise<LabelFiles> {
  const { transactionColumns, labelColumns, isLabelLookup } = definition.input
  const examineAll = async <T>(open: (path: string, file: number) => EventFile<T>) => {
    const examined: ExaminedFile<T>[] = []
    for (const [i, path] of paths.entries()) examined.push(await examineFile(open(path, i), signal))
    return examined
  }
  if (!isLabelLookup) {
    const files = await examineAll((path, i) => openLabelFile(path, labelColumns, i))
    const refuse = (label: Label, raw: RawMessage) => validateLabel(label, raw, definition.validate)
    return {
      files,
      readVerdicts: () => readVerdicts(files, refuse),
      readInOrder: () => mergeByTime(files),
    }
  }
  const files = await examineAll((path, i) => openBareLabelFile(path, labelColumns, i))
  const readKeys = () =>
    mergeByTime(
      transactions.map(({ file, ...examined }, i) => ({
        ...examined,
        file: openKeyFile(file.path, transactionColumns, i),
      })),
    )
  return {
    files,
    // A verdict on a transaction that is not there is looked up by nobody.
    readVerdicts: () => readVerdicts(files, () => null),
    readInOrder: () => completeLabels(mergeByTime(files), readKeys(), definition.store.retentionMs),
  }
}

async function* readVerdicts<T extends BareLabel>(
  files: readonly ExaminedFile<T>[],
  refuse: (label: T, raw: RawMessage) => Rejection | null,
): AsyncGenerator<readonly BareLabel[], void, undefined> {
  for (const { file } of files) {
    for await (const events of file.readEvents()) {
      const accepted: BareLabel[] = []
      for (const { value, timeMs } of events) {
        if (value === null) continue
        const raw = { offset: 0, brokerTimeMs: timeMs, key: null, value: null }
        if (refuse(value, raw) === null) accepted.push(value)
      }
      yield accepted
    }
  }
}
