// A count of steps of one duration from an origin as ms: hour 4711 of a data set.
//
// In: the step and the origin, once; a number, bigint, decimal, or text in plain form. Out: ms
// since the epoch, rounded down; fractions of a step are taken as they are. Refused (undefined):
// other text, infinity, and what no calendar reaches.

import { convertNumber } from '../number.ts'
import { type ReadEpoch, within } from './epoch.ts'

export function createStepReader(stepMs: number, originMs: number): ReadEpoch {
  return (raw) => {
    const count = convertNumber(raw)
    if (count === undefined || count === null) return undefined
    return within(Math.floor(count * stepMs + originMs))
  }
}
