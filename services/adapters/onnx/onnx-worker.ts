// The worker thread: opens the models once, then answers one run after the other.
//
// In: WorkerStart as worker data, then RunMessages. Out: `ready` with the attested models, or
// `refused` and the end; `scored` or `failed` for each run, with the buffer. ONNX Runtime's `run`
// blocks its thread, which is why it is here. Refused: what model-session.ts refuses. Invariant:
// every model scores the same rows of the same run; a run fails with the champion alone; the buffer
// always goes back.

import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, errorTable, WeirError } from '../../core/errors.ts'
import type { Reason } from '../../pipeline/records.ts'
import { type ModelSession, openModelSession } from './model-session.ts'
import { explainRows, mostFlagged } from './occlusion.ts'
import {
  type BufferShape,
  isScore,
  type LoadedModel,
  type RunMessage,
  type RunSpan,
  scoresIn,
  vectorsIn,
  type WorkerMessage,
  type WorkerStart,
} from './worker-messages.ts'

const port = parentPort!
const { models, policy, rowsMax } = workerData as WorkerStart
const { names } = models[0]!.manifest.featureSet
const shape: BufferShape = { features: names.length, models: models.length, rowsMax }
const sessions: ModelSession[] = []

const post = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer)

const openAll = async (): Promise<void> => {
  const loaded: LoadedModel[] = []
  for (const files of models) {
    const startedMs = performance.now()
    const { misses, ...session } = await openModelSession(files, policy)
    sessions.push(session)
    loaded.push({ model: session.model, misses, durationMs: performance.now() - startedMs })
  }
  post({ kind: 'ready', loaded })
}

/** Errors lose their class between threads: the code and the bare detail travel instead. */
const refusalOf = (error: Error): { code: ErrorCode; detail: string } => {
  if (!(error instanceof WeirError)) {
    return { code: 'WEIR_CLASSIFY_MODEL_REFUSED', detail: error.message }
  }
  const prefix = `${error.code}: ${errorTable[error.code].sentence} `
  return { code: error.code, detail: error.message.slice(prefix.length) }
}

const run = async ({ buffer, spans }: RunMessage): Promise<void> => {
  const startedMs = performance.now()
  try {
    const rows = spans.reduce((sum, span) => sum + span.count, 0)
    const vectors = vectorsIn(buffer, shape, rows)
    const modelMs: number[] = []
    const faults = new Map<number, string>()
    for (const [index, session] of sessions.entries()) {
      const beganMs = performance.now()
      const column = scoresIn(buffer, shape, index)
      try {
        column.set(await session.score(vectors, rows))
      } catch (error) {
        if (index === 0) throw error
        // A challenger costs nobody a score.
        column.fill(Number.NaN, 0, rows)
        faults.set(index, (error as Error).message)
      }
      modelMs.push(performance.now() - beganMs)
    }
    const reasons = await explain(buffer, vectors, spans)
    const durationMs = performance.now() - startedMs
    post({ kind: 'scored', buffer, reasons, modelMs, faults, durationMs }, [buffer])
  } catch (error) {
    post({ kind: 'failed', buffer, detail: (error as Error).message }, [buffer])
  }
}

/** Every flagged row by the model that decides it. */
const explain = async (
  buffer: ArrayBuffer,
  vectors: Float32Array,
  spans: readonly RunSpan[],
): Promise<ReadonlyMap<number, readonly Reason[]>> => {
  const columns = sessions.map((_, model) => scoresIn(buffer, shape, model))
  const reasons = new Map<number, readonly Reason[]>()
  for (const [model, flagged] of flaggedRows(columns, spans)) {
    const session = sessions[model]!
    const scores = columns[model]!
    const medians = models[model]!.manifest.reference.features.map(({ median }) => median)
    const most = mostFlagged(flagged, scores, names.length)
    const task = { session, names, medians, vectors, scores, flagged: most, rowsMax }
    for (const [row, found] of await explainRows(task)) reasons.set(row, found)
  }
  return reasons
}

/** Rows that reach the review band, by the model that decides them. */
const flaggedRows = (
  columns: readonly Float32Array[],
  spans: readonly RunSpan[],
): ReadonlyMap<number, readonly number[]> => {
  const flagged = new Map<number, number[]>()
  let row = 0
  for (const { count, reasonsFrom, deciders, unexplained } of spans) {
    for (let i = 0; i < count; i++, row++) {
      if (unexplained?.[i] === 1) continue
      const asked = deciders?.[i] ?? 0
      const model = isScore(columns[asked]![row]!) ? asked : 0
      if (!(columns[model]![row]! >= reasonsFrom)) continue
      const rows = flagged.get(model)
      if (rows === undefined) flagged.set(model, [row])
      else rows.push(row)
    }
  }
  return flagged
}

try {
  await openAll()
  port.on('message', (message: RunMessage) => void run(message))
} catch (error) {
  post({ kind: 'refused', ...refusalOf(error as Error) })
}
