// How well scores rank frauds before the rest: ROC AUC and average precision, exactly.
//
// In: scores with verdicts, one by one. Out: the two measures over all of them, null where one of
// the two classes is missing. Refused: nothing. Ties count as ties: half a win for ROC AUC, one step
// for average precision, as in scikit-learn. Memory is 4 bytes per score, the only thing in a replay
// that grows with history: the bits of a float32 in [0, 1] leave room for the verdict.

export type RankingMeasures = {
  readonly events: number
  readonly frauds: number
  readonly rocAuc: number | null
  readonly averagePrecision: number | null
}

export type Ranking = {
  readonly add: (score: number, isFraud: boolean) => void
  readonly measure: () => RankingMeasures
}

const firstCapacity = 65_536

export function createRanking(): Ranking {
  let packed = new Uint32Array(firstCapacity)
  let count = 0
  const float = new Float32Array(1)
  const bits = new Uint32Array(float.buffer)
  return {
    add: (score, isFraud) => {
      if (count === packed.length) {
        const grown = new Uint32Array(count * 2)
        grown.set(packed)
        packed = grown
      }
      // Bits of floats from 0 on rise with the floats; -0 is made 0 first.
      float[0] = score + 0
      packed[count++] = ((bits[0]! << 1) | (isFraud ? 1 : 0)) >>> 0
    },
    measure: () => measure(packed.slice(0, count).sort()),
  }
}

/** @param sorted score bits and verdicts, rising. */
function measure(sorted: Uint32Array): RankingMeasures {
  let frauds = 0
  for (const entry of sorted) frauds += entry & 1
  const genuine = sorted.length - frauds
  const known = { events: sorted.length, frauds }
  if (frauds === 0 || genuine === 0) return { ...known, rocAuc: null, averagePrecision: null }
  let fraudsAbove = 0
  let genuineAbove = 0
  let pairsWon = 0
  let averagePrecision = 0
  for (let i = sorted.length - 1; i >= 0; ) {
    const score = sorted[i]! >>> 1
    let tiedFrauds = 0
    let tied = 0
    for (; i >= 0 && sorted[i]! >>> 1 === score; i--) {
      tied++
      tiedFrauds += sorted[i]! & 1
    }
    const tiedGenuine = tied - tiedFrauds
    pairsWon += tiedGenuine * (fraudsAbove + tiedFrauds / 2)
    fraudsAbove += tiedFrauds
    genuineAbove += tiedGenuine
    averagePrecision += (tiedFrauds / frauds) * (fraudsAbove / (fraudsAbove + genuineAbove))
  }
  return { ...known, rocAuc: pairsWon / (frauds * genuine), averagePrecision }
}
