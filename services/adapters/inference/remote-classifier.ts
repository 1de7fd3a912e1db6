// The classifier port with the champion at an inference server, and the same champion here as
// fallback.
//
//   request ─► trusted? ─► server: scores, then occluded rows ─► reply, provider `remote`
//                 │ no, or the call failed
//                 └─► local classifier ─► reply, marked degraded
//
// Challengers run here, beside the call. Refused at start: WEIR_CLASSIFY_REMOTE_WRONG, and nothing
// is left open then. Whatever the server does later refuses nothing: the local model scores the
// batch. Invariant: one batch's scores and reasons of the champion are of one place, the one that
// the reply names.

import type { RemoteExecution } from '../../core/pipeline-definition.ts'
import type {
  ClassifyReply,
  FixedClassifier,
  ScoreRequest,
} from '../../pipeline/classify/classifier.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'
import type { Reason, ScoringModel } from '../../pipeline/records.ts'
import type { ModelFiles } from '../models/model-files.ts'
import { explainRows, mostFlagged } from '../onnx/occlusion.ts'
import { type InferenceEnvironment, openInferenceClient } from './inference-client.ts'
import { createRemoteModel } from './remote-model.ts'
import { remoteTrouble, ServerTrust } from './server-trust.ts'

type RemoteClassifierOptions = {
  /** Champion and challengers on this machine; closed with this classifier. */
  readonly local: FixedClassifier
  /** The champion's folder. */
  readonly files: ModelFiles
  readonly remote: RemoteExecution
  readonly place: InferenceEnvironment
  readonly observe: Observe
  /** Pause before a doubted server is examined again. */
  readonly pauseMs?: number
}

export type RemoteClassifier = FixedClassifier

/** Scores are at most 1: no row gets reasons. */
const noReasons = 2

export async function createRemoteClassifier(
  options: RemoteClassifierOptions,
): Promise<RemoteClassifier> {
  const { local, files, remote, observe } = options
  const client = openInferenceClient(options.place)
  const { model, examine, score } = createRemoteModel({ client, files, remote })
  const { names } = files.manifest.featureSet
  const medians = files.manifest.reference.features.map(({ median }) => median)
  const hasChallengers = local.models.length > 1

  const trust = new ServerTrust({
    observe,
    ...(options.pauseMs === undefined ? {} : { pauseMs: options.pauseMs }),
    examine: async () => {
      const startedMs = performance.now()
      await examine()
      const durationMs = performance.now() - startedMs
      observe({ kind: 'model_loaded', ...model, role: 'champion', missedProviders: '', durationMs })
    },
  })

  const scoreThere = async (request: ScoreRequest) => {
    const { count, vectors, reasonsFrom, deciders, unexplained } = request
    const startedMs = performance.now()
    const scores = await score(vectors, count)
    const modelMs = performance.now() - startedMs
    const wanted: number[] = []
    for (let row = 0; row < count; row++) {
      if (unexplained?.[row] === 1) continue
      if ((deciders?.[row] ?? 0) === 0 && scores[row]! >= reasonsFrom) wanted.push(row)
    }
    const flagged = mostFlagged(wanted, scores, names.length)
    const session = { model, score }
    const rowsMax = remote.requestRowsMax - 1
    const reasons: ReadonlyMap<number, readonly Reason[]> =
      flagged.length === 0
        ? new Map()
        : await explainRows({ session, names, medians, vectors, scores, flagged, rowsMax })
    const durationMs = performance.now() - startedMs
    observe({ kind: 'remote_ran', events: count, reasonRows: reasons.size, durationMs })
    return { scores, reasons, modelMs }
  }

  const scoreHere = async (request: ScoreRequest, code: FallbackCode) => {
    const reply = await local.classify(request)
    observe({ kind: 'fell_back', events: request.count, code })
    return { ...reply, isDegraded: true }
  }

  const classify = async (request: ScoreRequest): Promise<ClassifyReply> => {
    if (request.count === 0) return local.classify(request)
    if (trust.doubt !== null) return scoreHere(request, codeOf(trust.doubt.code))
    try {
      // The local classifier copies the vectors, so both may have them. It explains the canary's
      // rows; the champion's are explained where it ran.
      const besideFrom = request.deciders === undefined ? noReasons : request.reasonsFrom
      const [there, beside] = await Promise.all([
        scoreThere(request),
        hasChallengers ? local.classify({ ...request, reasonsFrom: besideFrom }) : null,
      ])
      trust.succeeded()
      return joinReplies(request, there, beside, model)
    } catch (error) {
      const trouble = remoteTrouble(error)
      if (trouble === null) throw error
      trust.failed(trouble)
      return scoreHere(request, codeOf(trouble.code))
    }
  }

  const close = async (): Promise<void> => {
    trust.close()
    client.close()
    await local.close()
  }
  try {
    await trust.begin()
  } catch (error) {
    await close()
    throw error
  }
  return { models: [model, ...local.models.slice(1)], classify, close }
}

type There = Pick<ClassifyReply, 'scores' | 'reasons'> & { readonly modelMs: number }

function joinReplies(
  { vectors, deciders: asked }: ScoreRequest,
  { scores, reasons, modelMs }: There,
  beside: ClassifyReply | null,
  champion: ScoringModel,
): ClassifyReply {
  const reply = { vectors, champion, scores }
  if (beside === null) {
    return { ...reply, reasons, challengers: [], challengerScores: [], modelMs: [modelMs] }
  }
  const { challengers, challengerScores, deciders } = beside
  const besideMs = beside.modelMs?.slice(1) ?? []
  const joined = { ...reply, challengers, challengerScores, modelMs: [modelMs, ...besideMs] }
  if (asked === undefined || deciders === undefined) return { ...joined, reasons }
  const ofCanary = [...beside.reasons].filter(([row]) => asked[row]! > 0)
  return { ...joined, deciders, reasons: new Map([...reasons, ...ofCanary]) }
}

type FallbackCode = 'WEIR_CLASSIFY_REMOTE_AWAY' | 'WEIR_CLASSIFY_REMOTE_WRONG'

const codeOf = (code: string): FallbackCode =>
  code === 'WEIR_CLASSIFY_REMOTE_WRONG' ? code : 'WEIR_CLASSIFY_REMOTE_AWAY'
