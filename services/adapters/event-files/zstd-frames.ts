// Chunks of a Zstandard file, cut where a frame ends.
//
//   frame      28 b5 2f fd, descriptor, 0-13 bytes, blocks, checksum of 4 bytes if it has one
//   block      3 bytes from the lowest: last (1 bit), kind (2), size (21); then size bytes, or 1
//              byte for kind 1
//   skippable  50-5f 2a 4d 18, size (4 bytes), size bytes
//
// Node's decompressor throws away what stands in a chunk behind the end of a frame (24.21), and
// `cat a.zst b.zst` and pzstd make files of many frames. In: bytes of a file. Out: the same bytes;
// no chunk goes on behind the end of a frame. Refused: nothing; where no frame begins, the rest
// is passed on as it is, and the decompressor refuses it.

type Step =
  /** Wants the next bytes to look at. */
  { readonly look: number } | { readonly pass: number } | { readonly cut: true }

export async function* splitZstdFrames(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  const walk = walkFrames()
  let step = walk.next().value
  let looked = Buffer.alloc(0)
  let left = sizeOf(step)
  for await (const chunk of source) {
    let from = 0
    let at = 0
    while (at < chunk.length) {
      const size = Math.min(left, chunk.length - at)
      if ('look' in step) looked = Buffer.concat([looked, chunk.subarray(at, at + size)])
      at += size
      left -= size
      while (left === 0) {
        step = walk.next(looked).value
        looked = Buffer.alloc(0)
        left = sizeOf(step)
        if (!('cut' in step)) continue
        yield chunk.subarray(from, at)
        from = at
      }
    }
    if (from < chunk.length) yield chunk.subarray(from)
  }
}

const sizeOf = (step: Step): number => {
  if ('look' in step) return step.look
  return 'pass' in step ? step.pass : 0
}

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50

function* walkFrames(): Generator<Step, never, Buffer> {
  for (;;) {
    const magic = (yield { look: 4 }).readUInt32LE()
    if (magic === frameMagic) yield* walkFrame()
    else if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      yield { pass: (yield { look: 4 }).readUInt32LE() }
    } else for (;;) yield { pass: Number.POSITIVE_INFINITY }
    yield { cut: true }
  }
}

function* walkFrame(): Generator<Step, void, Buffer> {
  const descriptor = (yield { look: 1 })[0]!
  const isSingle = (descriptor & 0x20) !== 0
  const contentSizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
  yield { pass: (isSingle ? 0 : 1) + dictionaryBytes + contentSizeBytes }
  for (let isLast = false; !isLast; ) {
    const block = (yield { look: 3 }).readUIntLE(0, 3)
    isLast = (block & 1) === 1
    yield { pass: ((block >> 1) & 3) === 1 ? 1 : block >> 3 }
  }
  if ((descriptor & 4) !== 0) yield { pass: 4 }
}
