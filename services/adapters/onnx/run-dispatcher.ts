// Requests in, merged runs on worker threads, replies out.
//
//   classify ─► queue ─► the first idle worker takes what waits, up to rowsMax rows ─► split ─► replies
//
// A request that finds its worker busy waits and is merged with its neighbours into the next run;
// the queue is bounded by the pipeline's batches in flight. Refused with WEIR_CLASSIFY_RUN_FAILED:
// a failed run of the champion, a crashed worker. A crashed worker is replaced with the same bytes,
// at most crashesMax times without a run in between; then everything is refused. Invariant: every
// request settles, with exactly its own rows, whatever it was merged with.

import { setTimeout as pause } from 'node:timers/promises'
import { assertInvariant, WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type {
  ClassifyReply,
  FixedClassifier,
  ScoreRequest,
} from '../../pipeline/classify/classifier.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'
import type { ScoringModel } from '../../pipeline/records.ts'
import type { ModelFiles } from '../models/model-files.ts'
import { ModelWorker, type RunReply } from './model-worker.ts'
import { type Pending, settleMerged, takeMerged } from './run-merging.ts'
import { isScore, type LoadedModel, type WorkerStart } from './worker-messages.ts'

const crashesMax = limits.retryAttemptsMax
const firstPauseMs = 10

export class RunDispatcher implements FixedClassifier {
  models: readonly ScoringModel[] = []
  readonly #start: WorkerStart
  readonly #observe: Observe
  readonly #width: number
  readonly #workers = new Set<ModelWorker>()
  readonly #idle: ModelWorker[] = []
  readonly #queue: Pending[] = []
  #starting = 0
  #crashes = 0
  /** Why nothing runs any more: closed, or no worker came back. */
  #ended: WeirError | null = null

  constructor(start: WorkerStart, observe: Observe) {
    this.#start = start
    this.#observe = observe
    this.#width = start.models[0]!.manifest.featureSet.names.length
  }

  /** One after the other: loading is heavy, and the first refusal ends the start. */
  async startWorkers(count: number): Promise<void> {
    for (let started = 0; started < count; started++) await this.#startWorker()
    this.models = this.#idle[0]!.loaded.map(({ model }) => model)
  }

  classify(request: ScoreRequest): Promise<ClassifyReply> {
    const { count, vectors } = request
    const { rowsMax } = this.#start
    assertInvariant(
      count <= rowsMax && vectors.length === count * this.#width,
      `${count} rows and ${vectors.length} values; at most ${rowsMax} rows of ${this.#width}`,
    )
    if (this.#ended !== null) return Promise.reject(this.#ended)
    if (count === 0) return Promise.resolve(this.#emptyReply(request))
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject })
      this.#dispatch()
    })
  }

  async close(): Promise<void> {
    this.#end(new WeirError('WEIR_CLASSIFY_RUN_FAILED', 'The classifier was closed.'))
    await Promise.all([...this.#workers].map((worker) => worker.close()))
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop()
      if (worker === undefined) return
      void this.#runOn(worker, takeMerged(this.#queue, this.#start.rowsMax))
    }
  }

  async #runOn(worker: ModelWorker, merged: readonly Pending[]): Promise<void> {
    try {
      const reply = await worker.run(merged.map(({ request }) => request))
      this.#crashes = 0
      this.#observeRun(merged, reply)
      settleMerged(merged, reply, worker.loaded)
    } catch (error) {
      for (const { reject } of merged) reject(error)
    }
    if (worker.isAlive && this.#ended === null) this.#idle.push(worker)
    this.#dispatch()
  }

  #observeRun(merged: readonly Pending[], reply: RunReply): void {
    const events = merged.reduce((sum, { request }) => sum + request.count, 0)
    const { durationMs, reasons } = reply
    this.#observe({ kind: 'model_ran', events, durationMs, reasonRows: reasons.size })
    for (const [index, model] of this.models.entries()) {
      const failed = reply.scores[index]!.reduce((n, score) => (isScore(score) ? n : n + 1), 0)
      // A champion's failures are not told here: their rows are rejected with a code.
      if (index === 0 || failed === 0) continue
      const { name, version } = model
      const detail = reply.faults.get(index) ?? 'scores that are no numbers from 0 to 1'
      this.#observe({ kind: 'challenger_failed', name, version, events: failed, detail })
    }
  }

  async #startWorker(): Promise<void> {
    const worker = await ModelWorker.start(this.#start)
    if (this.#ended !== null) return worker.close()
    if (!worker.isAlive) throw new WeirError('WEIR_CLASSIFY_RUN_FAILED', 'A worker ended at once.')
    worker.onCrash = () => void this.#replace(worker)
    this.#workers.add(worker)
    this.#idle.push(worker)
    for (const [index, loaded] of worker.loaded.entries()) {
      this.#observeLoad(this.#start.models[index]!, loaded)
    }
    this.#dispatch()
  }

  /**
   * Tries until a worker is back or crashesMax is reached; a run that succeeds resets the count.
   */
  async #replace(crashed: ModelWorker): Promise<void> {
    this.#workers.delete(crashed)
    const index = this.#idle.indexOf(crashed)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#starting++
    let detail = 'a model worker crashed'
    let isBack = false
    while (!isBack && this.#ended === null && this.#crashes < crashesMax) {
      this.#observeRetry('start_model_worker', ++this.#crashes, detail)
      await pause(Math.min(firstPauseMs * 2 ** (this.#crashes - 1), limits.retryPauseMsMax))
      try {
        await this.#startWorker()
        isBack = true
      } catch (error) {
        detail = (error as Error).message
      }
    }
    this.#starting--
    if (isBack || this.#starting > 0 || this.#workers.size > 0) return
    const reason = `Model workers crashed ${this.#crashes} times without a run in between: ${detail}`
    this.#end(new WeirError('WEIR_CLASSIFY_RUN_FAILED', reason))
  }

  #end(reason: WeirError): void {
    this.#ended ??= reason
    for (const { reject } of this.#queue.splice(0)) reject(this.#ended)
  }

  #observeLoad({ role }: ModelFiles, { model, misses, durationMs }: LoadedModel): void {
    for (const [attempt, { provider, reason }] of misses.entries()) {
      const what = `${model.name} ${model.version} fell back to ${model.provider}`
      this.#observeRetry('load_model', attempt + 1, `${what}; ${provider}: ${reason}`)
    }
    const missedProviders = misses.map((miss) => `${miss.provider}: ${miss.reason}`).join('; ')
    this.#observe({ kind: 'model_loaded', ...model, role, missedProviders, durationMs })
  }

  #observeRetry(operation: 'load_model' | 'start_model_worker', attempt: number, detail: string) {
    const code =
      operation === 'load_model' ? 'WEIR_CLASSIFY_PROVIDER_REFUSED' : 'WEIR_CLASSIFY_RUN_FAILED'
    this.#observe({ kind: 'retried', operation, attempt, code, detail })
  }

  #emptyReply({ vectors }: ScoreRequest): ClassifyReply {
    const [champion, ...challengers] = this.models
    const challengerScores = challengers.map(() => new Float32Array(0))
    const scores = new Float32Array(0)
    return {
      vectors,
      champion: champion!,
      challengers,
      scores,
      challengerScores,
      reasons: new Map(),
    }
  }
}
