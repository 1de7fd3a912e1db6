// The models of one roster, open, with a count of the calls that are on them.
//
// In: an opener that gets the observer to use, and its time. Out: a crew. Thrown: what the opener
// throws; WEIR_CLASSIFY_MODEL_REFUSED after that time. A worker that hangs inside ONNX Runtime is
// left behind: ending it there would end the process. Invariants: a crew ends after its last call;
// `model_loaded` reaches the observer only while the crew is in force, so that metrics and
// readiness tell the models that decide, not those that are warm.

import { WeirError } from '../../core/errors.ts'
import type {
  ClassifyReply,
  FixedClassifier,
  ScoreRequest,
} from '../../pipeline/classify/classifier.ts'
import type { Observe, Signal } from '../../pipeline/observe/signals.ts'

type OpenModels = (observe: Observe) => Promise<FixedClassifier>

export class Crew {
  /** Equal for two rosters with the same models. */
  readonly key: string
  readonly #observe: Observe
  readonly #loaded = new Map<string, Signal>()
  #classifier: FixedClassifier | null = null
  #isInForce = false
  #calls = 0
  #idle = Promise.withResolvers<void>()

  private constructor(key: string, observe: Observe) {
    this.key = key
    this.#observe = observe
    this.#idle.resolve()
  }

  static async open(
    {
      key,
      open,
      msMax,
    }: { readonly key: string; readonly open: OpenModels; readonly msMax: number },
    observe: Observe,
  ): Promise<Crew> {
    const crew = new Crew(key, observe)
    crew.#classifier = await within(
      msMax,
      open((signal) => crew.#hear(signal)),
    )
    return crew
  }

  get models(): FixedClassifier['models'] {
    return this.#classifier!.models
  }

  async classify(request: ScoreRequest): Promise<ClassifyReply> {
    if (this.#calls++ === 0) this.#idle = Promise.withResolvers()
    try {
      return await this.#classifier!.classify(request)
    } finally {
      if (--this.#calls === 0) this.#idle.resolve()
    }
  }

  takeOver(): void {
    this.#isInForce = true
    for (const signal of this.#loaded.values()) this.#observe(signal)
  }

  stepBack(): void {
    this.#isInForce = false
  }

  /** After the last call: the classifier would reject those that wait in its queue. */
  async close(): Promise<void> {
    await this.#idle.promise
    await this.#classifier!.close()
  }

  #hear(signal: Signal): void {
    if (signal.kind !== 'model_loaded') {
      this.#observe(signal)
      return
    }
    this.#loaded.set(`${signal.role} ${signal.name} ${signal.version}`, signal)
    if (this.#isInForce) this.#observe(signal)
  }
}

async function within(msMax: number, opening: Promise<FixedClassifier>): Promise<FixedClassifier> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const detail = `The models were not loaded within ${msMax} ms (modelLoadMsMax).`
      reject(new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail))
      // Nobody waits for them any more.
      opening.then((classifier) => classifier.close()).catch(() => undefined)
    }, msMax)
  })
  try {
    return await Promise.race([opening, late])
  } finally {
    clearTimeout(timer)
  }
}
