// Proof from the output topic alone: every transaction scored once, ordinals without gaps, and how
// many vectors are those of the perfectly ordered stream.
//
// In: the place and the reference. Out: the verdict. Refused: a record that cannot be decoded.
// Invariant: read as read_committed, so that what an aborted transaction left behind is not
// counted; vectors are compared bit for bit (NaN equals NaN, 0 is not -0).

import type { PipelineDefinition } from '../../../services/core/pipeline-definition.ts'
import { planFeatures } from '../../../services/pipeline/enrich/feature-plan.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { readTopic } from '../measure/read-topic.ts'
import { openDecoder, type Reference } from './reference-vectors.ts'

/** The fields of schemas/scored-transaction.avsc that the verdict rests on. */
export type ScoredRecord = {
  readonly transactionId: string
  readonly features: readonly number[]
  readonly ordinals: readonly number[]
}

type Verdict = {
  readonly scored: number
  readonly exactShare: number
  readonly missing: number
  readonly duplicated: number
  readonly ordinalGaps: number
}

export async function verifyScored(
  place: BenchEnvironment,
  reference: Reference,
): Promise<Verdict> {
  const topic = place.definition.topics.scored
  const decode = await openDecoder<ScoredRecord>(place, 'scored-transaction', topic)
  const judge = createJudge(place.definition, reference)
  await readTopic({
    place,
    topic,
    onMessages: (_partition, messages) => {
      for (const { value } of messages) judge.see(decode(value))
    },
  })
  return judge.verdict()
}

export function createJudge(definition: PipelineDefinition, reference: Reference) {
  const { transactions, rowOf, vectors } = reference
  const { entities } = planFeatures(definition)
  const width = definition.features.length
  const timesSeen = new Uint32Array(transactions.length)
  const ordinalsOf = entities.map(() => new Map<string, number[]>())
  let strangers = 0
  let exact = 0

  const noteOrdinals = (row: number, ordinals: readonly number[]): void => {
    for (let e = 0; e < entities.length; e++) {
      const key = entities[e]!.readKey(transactions[row]!)
      const known = ordinalsOf[e]!.get(key)
      if (known === undefined) ordinalsOf[e]!.set(key, [ordinals[e]!])
      else known.push(ordinals[e]!)
    }
  }

  const see = ({ transactionId, features, ordinals }: ScoredRecord): void => {
    const row = rowOf.get(transactionId)
    if (row === undefined) {
      strangers++
      return
    }
    noteOrdinals(row, ordinals)
    if (timesSeen[row]!++ > 0) return
    const isExact =
      features.length === width &&
      features.every((value, f) => Object.is(value, vectors[row * width + f]))
    if (isExact) exact++
  }

  const verdict = (): Verdict => {
    let records = strangers
    let missing = 0
    for (const times of timesSeen) {
      records += times
      if (times === 0) missing++
    }
    const scored = transactions.length - missing
    return {
      scored,
      exactShare: scored === 0 ? 0 : exact / scored,
      missing,
      duplicated: records - scored,
      ordinalGaps: countGaps(ordinalsOf.flatMap((logs) => [...logs.values()])),
    }
  }

  return { see, verdict }
}

/** Ordinals that are missing below the highest of their log, and those that came twice. */
function countGaps(logs: readonly (readonly number[])[]): number {
  let gaps = 0
  for (const ordinals of logs) {
    // -1 = scored but not counted: not a place in the log.
    const places = ordinals.filter((ordinal) => ordinal >= 0)
    const distinct = new Set(places).size
    const highest = places.reduce((a, b) => Math.max(a, b), -1)
    gaps += highest + 1 - distinct + places.length - distinct
  }
  return gaps
}
