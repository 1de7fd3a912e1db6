// The worker thread: opens the models once, then answers one run after the other.
//
// In: WorkerStart as worker data, then RunMessages. Out: `ready` with the attested models, or
// `refused` and the end; `scored` or `failed` for each run, with the buffer. ONNX Runtime's `run`
// blocks its thread, which is why it is here. Refused: what model-session.ts refuses.
// Invariant: every model scores the same rows of the same run; the buffer always goes back.

import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorCode, errorTable, WeirError } from '../../core/errors.ts'
import type { Reason } from '../../pipeline/records.ts'
import { type ModelSession, openModelSession } from './model-session.ts'
import { explainRows } from './occlusion.ts'
import {
  type BufferShape,
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
const { featureSet, reference } = models[0]!.manifest
const shape: BufferShape = { features: featureSet.names.length, models: models.length, rowsMax }
const medians = reference.features.map((feature) => feature.median)
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
    for (const [index, session] of sessions.entries()) {
      scoresIn(buffer, shape, index).set(await session.score(vectors, rows))
    }
    const reasons = await explain(buffer, vectors, spans)
    post({ kind: 'scored', buffer, reasons, durationMs: performance.now() - startedMs }, [buffer])
  } catch (error) {
    post({ kind: 'failed', buffer, detail: (error as Error).message }, [buffer])
  }
}

const explain = async (
  buffer: ArrayBuffer,
  vectors: Float32Array,
  spans: readonly RunSpan[],
): Promise<ReadonlyMap<number, readonly Reason[]>> => {
  const scores = scoresIn(buffer, shape, 0)
  const flagged = flaggedRows(scores, spans)
  if (flagged.length === 0) return new Map()
  const { names } = featureSet
  const session = sessions[0]!
  return explainRows({ session, names, medians, vectors, scores, flagged, rowsMax })
}

const flaggedRows = (scores: Float32Array, spans: readonly RunSpan[]): number[] => {
  const flagged: number[] = []
  let row = 0
  for (const { count, reasonsFrom } of spans) {
    for (const end = row + count; row < end; row++) {
      if (scores[row]! >= reasonsFrom) flagged.push(row)
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
