// Files of labels as the two things a replay wants of them: verdicts to measure by, and a stream.
//
// In: paths, the pipeline's input section, the files of transactions. Out: examined files; their
// labels as they stand; their labels in the order of time, made whole where the files hold ids and
// verdicts alone, or taken from the transactions' own rows (`input.labels.delay`). Refused: files
// that cannot be read (WEIR_FILE_INVALID).
// Invariant: what the transactions are asked for is never later than the label that asks.

import type { FileEvent, RowMapping } from '../adapters/event-files/event-block.ts'
import { openEventFile } from '../adapters/event-files/event-file.ts'
import { expandPaths, type NamedPath } from '../adapters/event-files/expand-paths.ts'
import {
  type BareLabel,
  bareLabelRows,
  keyRows,
  labelRows,
  labelRowsBeside,
} from '../adapters/event-files/row-mappings.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Label, RawMessage, Rejection } from '../pipeline/records.ts'
import { planValidate, validateLabel } from '../pipeline/validate/validate.ts'
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
  const { isLookup, delayMs } = definition.input.labels
  const rules = planValidate(definition)
  const examineAll = async <T>(all: readonly NamedPath[], rows: RowMapping<T>) => {
    const examined: ExaminedFile<T>[] = []
    for (const [i, path] of all.entries()) {
      examined.push(await examineFile(openEventFile(path, rows, i), signal))
    }
    return examined
  }
  if (delayMs !== null || !isLookup) {
    const beside = transactions.map(({ file }) => file)
    const files =
      delayMs === null
        ? await examineAll(await expandPaths(paths), labelRows(definition))
        : await examineAll(beside, labelRowsBeside(definition))
    const refuse = (label: Label, raw: RawMessage) => validateLabel(label, raw, rules)
    return {
      files,
      readVerdicts: () => readVerdicts(files, refuse),
      readInOrder: () => mergeByTime(files),
    }
  }
  const files = await examineAll(await expandPaths(paths), bareLabelRows(definition))
  const readKeys = () =>
    mergeByTime(
      transactions.map(({ file, ...examined }, i) => ({
        ...examined,
        file: openEventFile(file, keyRows(definition), i),
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
