// The sections of docs/benchmarks.md on swaps and rollbacks of models under load.
//
// In: results of the cases. Out: Markdown, a row for each result. Nothing is refused. Times are
// shown to the tenth of a millisecond: what is below it is the machine's.

import type { RollbackCase } from '../cases/rollback.ts'
import type { SwapsCase } from '../cases/swaps.ts'
import { showCount } from './bars.ts'
import { table } from './markdown-table.ts'

const ms = (value: number): string => value.toFixed(1)
const mb = (value: number | null): string => (value === null ? 'unknown' : showCount(value))

export const renderSwaps = (found: readonly SwapsCase[]): string =>
  table(
    [
      'Swaps',
      'Events/s',
      'p99 quiet, ms',
      'p99 while swapping, ms',
      'Longest quiet / swapping, ms',
      'Roster to first event, models loaded: median / max, ms',
      'Models there: median / max, ms',
      'Memory early / late, MB',
      'Lost / doubled',
    ],
    found.map((one) => [
      showCount(one.swaps),
      showCount(one.rate),
      ms(one.quietP99Ms),
      ms(one.swapsP99Ms),
      `${ms(one.quietMaxMs)} / ${ms(one.swapsMaxMs)}`,
      `${ms(one.loadedMs.median)} / ${ms(one.loadedMs.max)}`,
      `${ms(one.warmMs.median)} / ${ms(one.warmMs.max)}`,
      `${mb(one.memoryMb.early)} / ${mb(one.memoryMb.late)}`,
      `${one.lost} / ${one.duplicated}`,
    ]),
  )

export const renderRollbacks = (found: readonly RollbackCase[]): string =>
  table(
    [
      'Rounds',
      'Events/s',
      'Failure to the verdict: median / max, ms',
      'Failure to the first event without it: median / max, ms',
      'Events beside it in a round, mean',
    ],
    found.map(({ rounds, rate, faultToVerdictMs, faultToRollbackMs, eventsBeside }) => [
      showCount(rounds),
      showCount(rate),
      `${ms(faultToVerdictMs.median)} / ${ms(faultToVerdictMs.max)}`,
      `${ms(faultToRollbackMs.median)} / ${ms(faultToRollbackMs.max)}`,
      showCount(eventsBeside / rounds),
    ]),
  )
