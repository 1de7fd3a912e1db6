// Many requests in, one run; one run's reply in, many replies out.
//
// Refused: a request with a champion's score that is not a number in [0, 1] is rejected with
// WEIR_CLASSIFY_RUN_FAILED, alone, so that one lane's odd vector does not fail its neighbours. A challenger's
// becomes NaN, and the champion decides that row.
// Invariant: requests keep their order in the run, and each gets exactly its own rows back.

import { WeirError } from '../../core/errors.ts'
import type { ClassifyReply, ScoreRequest } from '../../pipeline/classify/classifier.ts'
import type { Reason } from '../../pipeline/records.ts'
import type { RunReply } from './model-worker.ts'
import { isScore, type LoadedModel } from './worker-messages.ts'

export type Pending = {
  readonly request: ScoreRequest
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
    const columns = reply.scores.map((column) => column.slice(from, to))
    const fault = championFault(columns[0]!, loaded[0]!)
    if (fault !== null) reject(new WeirError('WEIR_CLASSIFY_RUN_FAILED', fault))
    else
      resolve(
        replyOf(request, columns, { ...reply, reasons: rowsOf(reply.reasons, from, to) }, loaded),
      )
    from = to
  }
}

const replyOf = (
  { vectors, deciders }: ScoreRequest,
  [scores, ...challengerScores]: readonly Float32Array[],
  { reasons, modelMs }: Pick<RunReply, 'reasons' | 'modelMs'>,
  loaded: readonly LoadedModel[],
): ClassifyReply => {
  const [champion, ...challengers] = loaded.map(({ model }) => model)
  for (const column of challengerScores) voidFaults(column)
  const reply = { vectors, champion: champion!, challengers, challengerScores, reasons, modelMs }
  const settled = deciders?.map((model, row) => decidesOr0(model, challengerScores, row))
  return { ...reply, scores: scores!, ...(settled === undefined ? {} : { deciders: settled }) }
}

/** The champion stands in for a challenger without a score. */
const decidesOr0 = (
  model: number,
  challengerScores: readonly Float32Array[],
  row: number,
): number => (model > 0 && Number.isNaN(challengerScores[model - 1]![row]!) ? 0 : model)

const voidFaults = (column: Float32Array): void => {
  for (const [row, score] of column.entries()) if (!isScore(score)) column[row] = Number.NaN
}

const championFault = (column: Float32Array, { model }: LoadedModel): string | null => {
  const row = column.findIndex((score) => !isScore(score))
  if (row < 0) return null
  return `${model.name} ${model.version} scored ${column[row]} in row ${row}, expected 0 to 1`
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
