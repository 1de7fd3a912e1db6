// The last known verdict on each labelled transaction, whatever its time: for measuring only.
//
// In: transaction ids with verdicts. Out: the latest verdict on an id, or null. Ids are kept as 104
// bits of hash in flat arrays, 17 bytes a slot, because history may hold many millions of labels;
// two ids of a billion meet with a chance of one in 10^13. Nothing is refused.
// Invariant: no feature is computed from this table; features see labels only as they come in.

import { hashToInteger } from '../core/hash.ts'

const secondSeed = 0x5bd1e995
const firstCapacity = 1024
const EMPTY = 0
const GENUINE = 1
const FRAUD = 2

export type VerdictTable = {
  /** Of several labels on one transaction the one with the latest label time holds. */
  readonly add: (transactionId: string, isFraud: boolean, labelTimeMs: number) => void
  readonly find: (transactionId: string) => boolean | null
  readonly counts: () => { readonly genuine: number; readonly fraud: number }
}

type Slots = {
  readonly first: Float64Array
  readonly second: Float64Array
  readonly times: Float64Array
  readonly verdicts: Uint8Array
}

const createSlots = (capacity: number): Slots => ({
  first: new Float64Array(capacity),
  second: new Float64Array(capacity),
  times: new Float64Array(capacity),
  verdicts: new Uint8Array(capacity),
})

export function createVerdictTable(): VerdictTable {
  let slots = createSlots(firstCapacity)
  let size = 0
  const grow = (): void => {
    const before = slots
    slots = createSlots(before.verdicts.length * 2)
    for (let i = 0; i < before.verdicts.length; i++) {
      if (before.verdicts[i] === EMPTY) continue
      const at = findSlot(slots, before.first[i]!, before.second[i]!)
      slots.first[at] = before.first[i]!
      slots.second[at] = before.second[i]!
      slots.times[at] = before.times[i]!
      slots.verdicts[at] = before.verdicts[i]!
    }
  }
  return {
    add: (transactionId, isFraud, labelTimeMs) => {
      const first = hashToInteger(transactionId)
      const second = hashToInteger(transactionId, secondSeed)
      const at = findSlot(slots, first, second)
      if (slots.verdicts[at] !== EMPTY && slots.times[at]! > labelTimeMs) return
      if (slots.verdicts[at] === EMPTY) size++
      slots.first[at] = first
      slots.second[at] = second
      slots.times[at] = labelTimeMs
      slots.verdicts[at] = isFraud ? FRAUD : GENUINE
      if (size * 2 > slots.verdicts.length) grow()
    },
    find: (transactionId) => {
      if (size === 0) return null
      const first = hashToInteger(transactionId)
      const verdict =
        slots.verdicts[findSlot(slots, first, hashToInteger(transactionId, secondSeed))]
      return verdict === EMPTY ? null : verdict === FRAUD
    },
    counts: () => {
      let fraud = 0
      for (const verdict of slots.verdicts) if (verdict === FRAUD) fraud++
      return { genuine: size - fraud, fraud }
    },
  }
}

/** The slot that holds the pair of hashes, or the empty one where it belongs. */
function findSlot({ first, second, verdicts }: Slots, a: number, b: number): number {
  const mask = verdicts.length - 1
  let at = a & mask
  while (verdicts[at] !== EMPTY && (first[at] !== a || second[at] !== b)) at = (at + 1) & mask
  return at
}
