// The verdict on a campaign: the books of its topics, and every vector computed again.
//
// In: a place whose scorers have stopped. Out: figures, of which those that must be 0 are named,
// and the offenders in words. Refused: topics that cannot be read to their end. Invariant: nobody
// who scored is asked; the books are counted apart from parity, by other code.

import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { Finding } from '../../services/parity/findings.ts'
import { runParity } from '../../services/parity/run-parity.ts'
import { openParityDecoders } from '../../services/parity/topics/open-decoders.ts'
import type { ChaosEnvironment } from './chaos-environment.ts'
import { countOutcomes, type Outcomes } from './count-outcomes.ts'

export type Judgement = Outcomes & {
  /** Values that differ, and outcomes that parity misses, finds twice or does not know. */
  readonly parityDifferences: number
  /** Ordinals that nobody has, or two events. */
  readonly ordinalGaps: number
  /** Events whose vectors could not be checked. */
  readonly unverified: number
  /** In words; empty where all is well. */
  readonly offences: readonly string[]
}

/** Events for the naive oracle. */
const sample = 500
const offendersShown = 10

export async function judgeCampaign(
  place: ChaosEnvironment,
  registryUrl: string,
): Promise<Judgement> {
  const outcomes = await countOutcomes(place)
  const { kafka, definition, groupId } = place
  const registry = connectRegistry(registryUrl)
  try {
    const decoders = openParityDecoders(registry, definition)
    const wanted = { fromMs: null, toMs: null, sample }
    const report = await runParity({ kafka, definition, groupId, decoders }, wanted)
    const { differences, missing, duplicated, unknown, unverified } = report
    const figures = {
      ...outcomes,
      parityDifferences: differences + missing + duplicated + unknown,
      ordinalGaps: report.ordinalGaps + report.ordinalClashes,
      unverified,
    }
    const offenders = report.offenders.slice(0, offendersShown).map(describe)
    return { ...figures, offences: [...findOffences(figures), ...offenders] }
  } finally {
    await registry.close()
  }
}

const zeros = [
  'difference',
  'missing',
  'duplicated',
  'alertDifferences',
  'parityDifferences',
  'ordinalGaps',
  'unverified',
] as const satisfies readonly (keyof Judgement)[]

const findOffences = (figures: Omit<Judgement, 'offences'>): readonly string[] =>
  zeros
    .filter((name) => figures[name] !== 0)
    .map((name) => `${name} is ${figures[name]}, expected 0`)

const describe = ({ kind, source, subject, found, expected, cause }: Finding): string =>
  `${kind} at ${source ?? 'a log'}: ${subject} is ${found}, expected ${expected} (${cause})`
