// Zigzag variable-length integers as Kafka's record format has them, on plain numbers.
//
// In and out: safe integers up to `varintMagnitudeMax`; the stock code goes through BigInt for
// each. Seven bits per byte, lowest first, the top bit says that another byte follows; zigzag maps
// 0, -1, 1, -2 to 0, 1, 2, 3. Beyond 31 bits the shift operators of JavaScript no longer do, so
// larger values are split off by division.

/** Below this magnitude a zigzagged value is a safe integer; larger ones go to the stock code. */
export const varintMagnitudeMax = 2 ** 51

const zigzag = (value: number): number => (value >= 0 ? value * 2 : value * -2 - 1)

export function sizeOfVarint(value: number): number {
  let rest = zigzag(value)
  let size = 1
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80)
    size++
  }
  return size
}

/** Writes at the position and gives the position after. */
export function writeVarint(buffer: Buffer, position: number, value: number): number {
  let rest = zigzag(value)
  let at = position
  while (rest >= 0x80000000) {
    buffer[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  while (rest >= 0x80) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at++] = rest
  return at
}
