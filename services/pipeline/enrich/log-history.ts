// What a log has to remember, read off the features that look at it.
//
// In: an entity's window features (or those that look at labels, for the log of its labels). Out:
// how far back exact windows see, and the tiles that windows with a tail need. Times in ms.

import type { WindowFeature } from '../../core/pipeline-definition.ts'
import type { Ceilings, LogHistory } from './fold-log.ts'

export type FeatureReach = {
  readonly allowedMs: number
  readonly ceilings: Ceilings
}

/** Ops that want one row, the newest, and so need no more than a few rows to find it among. */
const newestOps = new Set(['last', 'seconds_since_last'])

export const isOfNewest = ({ op, delayMs }: WindowFeature): boolean =>
  newestOps.has(op) && delayMs === 0

export const isExact = (feature: WindowFeature): boolean =>
  feature.tailMs === 0 && !isOfNewest(feature)

/** Windows that tell the newest rows from older ones. */
const tellsNewest = (feature: WindowFeature): boolean =>
  isOfNewest(feature) || (feature.tailMs > 0 && feature.delayMs === 0)

export const historyOf = (features: readonly WindowFeature[], reach: FeatureReach): LogHistory =>
  planHistory(features, features.some(tellsNewest), reach)

/**
 * Of an entity's labels; with a tail the newest labels are told from older ones whatever the delay.
 */
export const labelHistoryOf = (
  features: readonly WindowFeature[],
  reach: FeatureReach,
): LogHistory =>
  planHistory(
    features,
    features.some(({ tailMs }) => tailMs > 0),
    reach,
  )

function planHistory(
  features: readonly WindowFeature[],
  hasNewest: boolean,
  { allowedMs, ceilings }: FeatureReach,
): LogHistory {
  const exact = features.filter(isExact)
  const tails = [...new Set(features.map(({ tailMs }) => tailMs))].filter((tailMs) => tailMs > 0)
  return {
    exactMs: exact.length > 0 ? allowedMs + longestOf(exact) : 0,
    newest: hasNewest ? ceilings.entityRecordsNewest : 0,
    levels: tails.map((tailMs) => ({
      tailMs,
      spanMs: allowedMs + longestOf(features.filter((feature) => feature.tailMs === tailMs)),
    })),
    ceilings,
  }
}

const longestOf = (features: readonly WindowFeature[]): number =>
  Math.max(...features.map(({ windowMs, delayMs }) => windowMs + delayMs))
