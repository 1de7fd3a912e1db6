// Many requests in, one run; one run's reply in, many replies out.
//
// Refused: a request with a score that is not a number in [0, 1] is rejected with
// WEIR_CLASSIFY_RUN_FAILED, alone, so that one lane's odd vector does not fail its neighbours.
// Invariant: requests keep their order in the run, and each gets exactly its own rows back.

import { WeirError } from '../../core/errors.ts'
import type { ClassifyReply, ClassifyRequest } from '../../pipeline/classify/classifier.ts'
import type { Reason } from '../../pipeline/records.ts'
import type { RunReply } from './model-worker.ts'
import type { LoadedModel } from './worker-messages.ts'

export type Pending = {
  readonly request: ClassifyRequest
  readonly resolve: (reply: ClassifyReply) => void
  readonly reject: (error: unknown) => void
}

/** Takes whole requests off the queue's front, at least one, while they fit one run. */
export const takeMerged = (queue: Pending[], rowsMax: number): readonly Pending[] => {
  let rows = queue[0]!.request.count
  let taken = 1
  while (taken < queue.length && rows + queue[taken]!.request.count <= rowsMax) {
    rows += queue[taken]!.request.count
    taken++
  }
  return queue.splice(0, taken)
}

/** Gives each request its own rows. */
export const settleMerged = (
  merged: readonly Pending[],
  reply: RunReply,
  loaded: readonly LoadedModel[],
): void => {
  let from = 0
  for (const { request, resolve, reject } of merged) {
    const to = from + request.count
    const scores = reply.scores.map((column) => column.slice(from, to))
    const fault = scoreFault(scores, loaded)
    if (fault !== null) reject(new WeirError('WEIR_CLASSIFY_RUN_FAILED', fault))
    else resolve(replyOf(request.vectors, scores, rowsOf(reply.reasons, from, to), loaded))
    from = to
  }
}

const replyOf = (
  vectors: Float32Array,
  [scores, ...challengerScores]: readonly Float32Array[],
  reasons: ClassifyReply['reasons'],
  loaded: readonly LoadedModel[],
): ClassifyReply => {
  const [champion, ...challengers] = loaded.map(({ model }) => model)
  return {
    vectors,
    champion: champion!,
    challengers,
    scores: scores!,
    challengerScores,
    reasons,
  }
}

const scoreFault = (
  columns: readonly Float32Array[],
  loaded: readonly LoadedModel[],
): string | null => {
  for (const [index, column] of columns.entries()) {
    const row = column.findIndex((score) => !(score >= 0 && score <= 1))
    if (row < 0) continue
    const { name, version } = loaded[index]!.model
    return `${name} ${version} scored ${column[row]} in row ${row}, expected 0 to 1`
  }
  return null
}

const rowsOf = (
  reasons: ReadonlyMap<number, readonly Reason[]>,
  from: number,
  to: number,
): ReadonlyMap<number, readonly Reason[]> => {
  const own = new Map<number, readonly Reason[]>()
  for (const [row, found] of reasons) if (row >= from && row < to) own.set(row - from, found)
  return own
}
