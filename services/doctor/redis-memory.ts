// What one string key takes in Redis: the arithmetic of its allocator and of its growing strings.
//
// In: lengths. Out: bytes, as MEMORY USAGE and used_memory count them. A string that is SET is as
// long as its content; one that grows by APPEND gets room for twice its length (up to 1 MiB more),
// so most of a log's memory is room. Invariant: never less than Redis 7 takes with the allocator
// that it brings along; later versions take a little less per key.

/** jemalloc: four sizes for each power of two, all multiples of 16. */
export function allocated(bytes: number): number {
  if (bytes <= 8) return 8
  if (bytes <= 128) return Math.ceil(bytes / 16) * 16
  const step = 2 ** (Math.ceil(Math.log2(bytes)) - 3)
  return Math.ceil(bytes / step) * step
}

/** Type, encoding, age and references of a value. */
const OBJECT = 16
const ENTRY = allocated(24)
const TERMINATOR = 1
/** Short strings stand in one piece with their object. */
const EMBEDDED_MAX = 44
const EMBEDDED_HEAD = OBJECT + 3
const MIB = 1024 * 1024

/** Length and room stand before the bytes; how wide they are follows from the length. */
const headOf = (length: number): number => {
  if (length < 2 ** 8) return 3
  return length < 2 ** 16 ? 5 : 9
}

/** Of a key's own name; short ones have a one-byte head. */
const nameBytes = (length: number): number =>
  allocated((length < 32 ? 1 : headOf(length)) + length + TERMINATOR)

/** Of the value's bytes: what is taken, and how long the string may get before it moves. */
type Room = { readonly bytes: number; readonly lengthMax: number }

function whenSet(length: number): Room {
  if (length <= EMBEDDED_MAX) {
    return { bytes: allocated(EMBEDDED_HEAD + length + TERMINATOR), lengthMax: length }
  }
  const taken = allocated(headOf(length) + length + TERMINATOR)
  const left = taken - headOf(length) - TERMINATOR - length
  // What the allocator gave beyond the length is used, unless it is so much that it is given back.
  return { bytes: OBJECT + taken, lengthMax: left > length / 10 ? length : length + left }
}

function whenGrown(length: number): Room {
  const wanted = length < MIB ? length * 2 : length + MIB
  const taken = allocated(headOf(wanted) + wanted + TERMINATOR)
  return { bytes: OBJECT + taken, lengthMax: taken - headOf(wanted) - TERMINATOR }
}

/**
 * Bytes of a value that was SET with `length` bytes and then grew by `appends` records of `size`
 * bytes: one number for each number of appends, from 0 on.
 */
export function valueBytes(length: number, size: number, appends: number): readonly number[] {
  let room = whenSet(length)
  const bytes = [room.bytes]
  for (let i = 1; i <= appends; i++) {
    const grown = length + i * size
    if (grown > room.lengthMax) room = whenGrown(grown)
    bytes.push(room.bytes)
  }
  return bytes
}

/** What MEMORY USAGE counts beside the value: the name and its entry in the keyspace. */
export const keyBytes = (nameLength: number): number => nameBytes(nameLength) + ENTRY

/** What used_memory counts besides, per key: the entry of its expiry, and places in two tables. */
export function tableBytes(keys: number): number {
  const places = 2 ** Math.ceil(Math.log2(Math.max(4, keys)))
  return keys * ENTRY + 2 * places * 8
}
