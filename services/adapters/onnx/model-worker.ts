// One worker thread as the main thread sees it: started, run, crashed or closed.
//
// In: verified model files; merged requests. Out: the loaded models with their attestation; scores
// and reasons of a run. Refused: what the worker refuses at start, with the worker's own code; a
// run that fails or whose worker ends throws WEIR_CLASSIFY_RUN_FAILED. Invariant: a worker that has
// ended never runs again (`isAlive` is false); a run always settles; a thread is never ended inside
// ONNX Runtime, which would take the whole process with it.

import { Worker } from 'node:worker_threads'
import { assertInvariant, WeirError } from '../../core/errors.ts'
import type { ScoreRequest } from '../../pipeline/classify/classifier.ts'
import type { Reason } from '../../pipeline/records.ts'
import {
  type BufferShape,
  bufferSizeOf,
  type LoadedModel,
  type RunMessage,
  type RunSpan,
  scoresIn,
  vectorsIn,
  type WorkerMessage,
  type WorkerStart,
} from './worker-messages.ts'

export type RunReply = {
  /** rows scores of each model, the champion first. */
  readonly scores: readonly Float32Array[]
  /** By row of the merged run. */
  readonly reasons: ReadonlyMap<number, readonly Reason[]>
  /** By model, the champion first. */
  readonly modelMs: readonly number[]
  /** Challengers that threw, by model. */
  readonly faults: ReadonlyMap<number, string>
  /** What the run took inside the worker. */
  readonly durationMs: number
}

type Waiting = {
  readonly resolve: (message: WorkerMessage) => void
  readonly reject: (error: WeirError) => void
}

export class ModelWorker {
  isAlive = true
  loaded: readonly LoadedModel[] = []
  /** Called once, when the worker has ended without being closed. */
  onCrash: () => void = () => undefined
  readonly #worker: Worker
  readonly #shape: BufferShape
  #buffer: ArrayBuffer
  #waiting: Waiting | null = null
  /** Resolves when the worker has answered what it was last asked, or has ended. */
  #settled: Promise<void> = Promise.resolve()
  #isClosing = false
  #lastError = ''

  private constructor(start: WorkerStart) {
    const features = start.models[0]!.manifest.featureSet.names.length
    this.#shape = { features, models: start.models.length, rowsMax: start.rowsMax }
    this.#buffer = new ArrayBuffer(bufferSizeOf(this.#shape))
    this.#worker = new Worker(new URL('./onnx-worker.ts', import.meta.url), { workerData: start })
    this.#worker.on('message', (message: WorkerMessage) => this.#settle(message))
    this.#worker.on('error', (error: Error) => (this.#lastError = error.message))
    this.#worker.on('exit', (exitCode) => this.#end(exitCode))
  }

  static async start(start: WorkerStart): Promise<ModelWorker> {
    const worker = new ModelWorker(start)
    try {
      const message = await worker.#answer()
      if (message.kind === 'refused') throw new WeirError(message.code, message.detail)
      assertInvariant(message.kind === 'ready', `a worker began with ${message.kind}`)
      worker.loaded = message.loaded
      return worker
    } catch (error) {
      await worker.close()
      throw error
    }
  }

  /** Scores the requests' rows, one after the other in the buffer, in one run of each model. */
  async run(requests: readonly ScoreRequest[]): Promise<RunReply> {
    const rows = requests.reduce((sum, request) => sum + request.count, 0)
    const vectors = vectorsIn(this.#buffer, this.#shape, rows)
    let row = 0
    for (const request of requests) {
      vectors.set(request.vectors, row * this.#shape.features)
      row += request.count
    }
    const spans = requests.map(
      ({ count, reasonsFrom, deciders, unexplained }): RunSpan => ({
        ...{ count, reasonsFrom },
        ...(deciders === undefined ? {} : { deciders }),
        ...(unexplained === undefined ? {} : { unexplained }),
      }),
    )
    const message: RunMessage = { buffer: this.#buffer, spans }
    const answer = this.#answer()
    this.#worker.postMessage(message, [this.#buffer])
    return this.#read(await answer, rows)
  }

  /** Lets the run in progress end first: its native code cannot be interrupted without an abort. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#settled
    await this.#worker.terminate()
  }

  #read(answer: WorkerMessage, rows: number): RunReply {
    if (answer.kind === 'scored' || answer.kind === 'failed') this.#buffer = answer.buffer
    if (answer.kind === 'failed') throw new WeirError('WEIR_CLASSIFY_RUN_FAILED', answer.detail)
    assertInvariant(answer.kind === 'scored', `a worker answered a run with ${answer.kind}`)
    const { reasons, modelMs, faults, durationMs } = answer
    const scores = this.loaded.map((_, model) =>
      scoresIn(this.#buffer, this.#shape, model).slice(0, rows),
    )
    return { scores, reasons, modelMs, faults, durationMs }
  }

  #answer(): Promise<WorkerMessage> {
    assertInvariant(this.#waiting === null, 'a worker was given a second run')
    if (!this.isAlive) return Promise.reject(this.#crashed('it has ended'))
    const answer = new Promise<WorkerMessage>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    const ignore = () => undefined
    this.#settled = answer.then(ignore, ignore)
    return answer
  }

  #settle(message: WorkerMessage): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve(message)
  }

  #end(exitCode: number): void {
    this.isAlive = false
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(this.#crashed(this.#lastError || `exit code ${exitCode}`))
    if (!this.#isClosing) this.onCrash()
  }

  #crashed(reason: string): WeirError {
    return new WeirError('WEIR_CLASSIFY_RUN_FAILED', `The model worker ended: ${reason}`)
  }
}
