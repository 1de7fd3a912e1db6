// A column of whole numbers that grows as events come in.
//
// In: numbers from 0 to 2^32 - 1, one by one. Out: the number at a place, and all of them without a
// copy. Nothing is refused. Memory: 4 bytes per number, up to twice that while there is room left.

export type GrowingColumn = {
  readonly push: (value: number) => void
  readonly at: (index: number) => number
  readonly length: () => number
  /** Valid until the next push. */
  readonly view: () => Uint32Array
}

const firstCapacity = 65_536

export function createColumn(): GrowingColumn {
  let values = new Uint32Array(firstCapacity)
  let count = 0
  return {
    push: (value) => {
      if (count === values.length) {
        const grown = new Uint32Array(count * 2)
        grown.set(values)
        values = grown
      }
      values[count++] = value
    },
    at: (index) => values[index]!,
    length: () => count,
    view: () => values.subarray(0, count),
  }
}
