// The slot of a key in a Redis Cluster: CRC16 (XMODEM) of its hash tag, modulo 16384.
//
// In: a key. Out: its slot, as the servers compute it: of what stands between the first { and the
// next }, or of the whole key where that is nothing. Invariant: a checksum can be taken in pieces,
// by handing on what the piece before gave; bucket-tags.ts lives on that.

export const slotCount = 16_384

const POLYNOMIAL = 0x1021

const shifted = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) {
    crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ POLYNOMIAL
  }
  return crc & 0xffff
})

/** @param start checksum of the bytes before these. */
export function crc16(bytes: Uint8Array, start = 0): number {
  let crc = start
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ shifted[(crc >> 8) ^ byte]!
  return crc
}

export function keySlot(key: string): number {
  return crc16(Buffer.from(hashTagOf(key))) % slotCount
}

function hashTagOf(key: string): string {
  const open = key.indexOf('{')
  if (open < 0) return key
  const close = key.indexOf('}', open + 1)
  return close <= open + 1 ? key : key.slice(open + 1, close)
}
