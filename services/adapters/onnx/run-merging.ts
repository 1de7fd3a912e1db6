// Many requests in, one run; one run's reply in, many replies out.
//
// A champion's score that is not a number in [0, 1] costs its own row the score, and no other: the
// row is named in `unscored`. A challenger's becomes NaN, and the champion decides that row.
// Invariant: requests keep their order in the run, and each gets exactly its own rows back.

import type { ClassifyReply, ScoreRequest } from '../../pipeline/classify/classifier.ts'
import type { Reason, ScoringModel } from '../../pipeline/records.ts'
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
  for (const { request, resolve } of merged) {
    const to = from + request.count
    const columns = reply.scores.map((column) => column.slice(from, to))
    const own = { ...reply, reasons: rowsOf(reply.reasons, from, to) }
    resolve(replyOf(request, columns, own, loaded))
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
  const reply = {
    ...{ vectors, champion: champion!, challengers, challengerScores, reasons, modelMs },
    ...findUnscored(scores!, champion!),
  }
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

/** The rows that the champion gave no probability for; nothing where all are scored. */
const findUnscored = (
  scores: Float32Array,
  { name, version }: Pick<ScoringModel, 'name' | 'version'>,
): Pick<ClassifyReply, 'unscored'> => {
  const unscored = new Map<number, string>()
  for (const [row, score] of scores.entries()) {
    if (isScore(score)) continue
    unscored.set(row, `${name} ${version} scored ${score}, expected 0 to 1`)
  }
  return unscored.size === 0 ? {} : { unscored }
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
