// The moments of a batch at which a scorer can be hurt, and the order to do so.
//
//   decode ─► advance ─► classify ─► [ send ─► send_offsets ─► commit ]   [ ] = the Kafka transaction
//
// In: an order on a file, read when it is given. Out: the signal to this very process, at the n-th
// time that it comes by. Invariant: `reached` is on the disk before the signal is on its way, so
// whoever waits for the file never waits for a process that is already gone.

import { readFileSync, writeFileSync } from 'node:fs'
import type { Signal, Stage } from '../../services/pipeline/observe/signals.ts'

export const failPoints = [
  'after_decode',
  'after_advance',
  'after_classify',
  'before_send',
  'after_send',
  'before_send_offsets',
  'after_send_offsets',
  'before_commit',
  'after_commit',
] as const

export type FailPoint = (typeof failPoints)[number]

export type FailOrder = {
  readonly point: FailPoint
  /** At the n-th time from now; 1 = the next one. */
  readonly nth: number
  readonly signal: 'SIGKILL' | 'SIGSTOP'
}

const stagePoints: Readonly<Partial<Record<Stage, FailPoint>>> = {
  decode: 'after_decode',
  enrich: 'after_advance',
  classify: 'after_classify',
}

type FailSwitch = {
  /** Reads the order that stands in the file. */
  readonly arm: () => void
  readonly pass: (point: FailPoint) => void
  readonly watch: (signal: Signal) => void
}

export const reachedFileOf = (orderFile: string): string => `${orderFile}.reached`

/** @param strike what is done at the point; the tests look on instead of dying. */
export function createFailSwitch(
  orderFile: string,
  strike: (signal: FailOrder['signal']) => void,
): FailSwitch {
  let order: FailOrder | null = null
  let passed = 0

  const pass = (point: FailPoint): void => {
    if (order === null || point !== order.point) return
    passed++
    if (passed < order.nth) return
    const { signal } = order
    order = null
    writeFileSync(reachedFileOf(orderFile), point)
    strike(signal)
  }

  return {
    arm: () => {
      order = JSON.parse(readFileSync(orderFile, 'utf8')) as FailOrder
      passed = 0
    },
    pass,
    watch: (signal) => {
      if (signal.kind !== 'stage_done') return
      const point = stagePoints[signal.stage]
      if (point !== undefined) pass(point)
    },
  }
}
