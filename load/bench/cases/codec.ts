// `bench codec`: what it costs to compress the record batches that Weir writes, and what it saves.
//
// In: a pipeline, whose features and entities say how wide a scored event is. Out: by codec and
// batch size, bytes and CPU time per scored event, packed and unpacked, all threads counted. The
// events are encoded as the scorer encodes them, into record batches as it sends them; nothing is
// sent. lz4 is measured by a native library, because Node brings none. Invariant: every codec gives
// back the bytes that it got, or the case fails.

import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { batchCodecs } from '../../../services/adapters/kafka/client/batch-codecs.ts'
import { createEncoder } from '../../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../../services/adapters/registry/schema-files.ts'
import type { PipelineDefinition } from '../../../services/core/pipeline-definition.ts'
import type { ScoredTransactionRecord } from '../../../services/pipeline/publish/output-records.ts'

export type CodecRow = {
  readonly codec: string
  /** Scored events in the record batch. */
  readonly records: number
  readonly bytesPerRecord: number
  readonly packMicrosPerRecord: number
  readonly unpackMicrosPerRecord: number
}

export type CodecCase = { readonly case: 'codec'; readonly rows: readonly CodecRow[] }

type Measured = {
  readonly pack: (bytes: Buffer) => Buffer | Promise<Buffer>
  readonly unpack: (bytes: Buffer) => Buffer
}

const codecs: Readonly<Record<string, Measured>> = {
  none: { pack: (bytes) => bytes, unpack: (bytes) => bytes },
  lz4: { pack: (bytes) => compressFrameSync(bytes), unpack: (bytes) => decompressFrameSync(bytes) },
  gzip: { pack: (bytes) => batchCodecs.gzip.compress({ buffer: bytes }), unpack: gunzipSync },
  zstd: {
    pack: (bytes) => batchCodecs.zstd.compress({ buffer: bytes }),
    unpack: zstdDecompressSync,
  },
}

const BATCHES: readonly number[] = [10, 100, 500, 1500]

export async function runCodec(
  definition: PipelineDefinition,
  { seconds }: { readonly seconds: number },
): Promise<CodecCase> {
  const rows: CodecRow[] = []
  for (const records of BATCHES) {
    const bytes = batchOf(definition, records)
    for (const [codec, measured] of Object.entries(codecs)) {
      const packed = await measured.pack(bytes)
      if (!measured.unpack(packed).equals(bytes)) throw new Error(`${codec} lost bytes`)
      const pack = await cpuMicros(seconds, () => measured.pack(bytes))
      const unpack = await cpuMicros(seconds, () => measured.unpack(packed))
      rows.push({
        ...{ codec, records, bytesPerRecord: packed.length / records },
        packMicrosPerRecord: pack / records,
        unpackMicrosPerRecord: unpack / records,
      })
    }
  }
  return { case: 'codec', rows }
}

/**
 * CPU time of one run, of this process' threads together; the first tenth of the time is for
 * warming up.
 */
async function cpuMicros(seconds: number, run: () => Buffer | Promise<Buffer>): Promise<number> {
  const until = async (ms: number): Promise<number> => {
    const end = performance.now() + ms
    let runs = 0
    for (; performance.now() < end; runs++) await run()
    return runs
  }
  await until(seconds * 100)
  const before = process.cpuUsage()
  const runs = await until(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / Math.max(1, runs)
}

/** The records of one batch one behind the other, as they stand in it before it is packed. */
function batchOf(definition: PipelineDefinition, records: number): Buffer {
  const encode = createEncoder<ScoredTransactionRecord>(readSchema('scored-transaction'), 1)
  return Buffer.concat(
    Array.from({ length: records }, (_, i) => {
      const event = scoredOf(definition, i)
      // Length, attributes, deltas and the key's length take about seven bytes.
      return Buffer.concat([Buffer.alloc(7, i), Buffer.from(event.keys.customer!), encode(event)])
    }),
  )
}

/**
 * Distinct where live events are: ids, amounts, times, the vector; the same seed gives the same
 * event.
 */
function scoredOf(
  { features, entities, pipeline }: PipelineDefinition,
  i: number,
): ScoredTransactionRecord {
  const random = (column: number): number => {
    const seed = Math.imul(i + 1, 374_761_393) + Math.imul(column + 1, 668_265_263)
    const mixed = Math.imul(seed ^ (seed >>> 13), 1_274_126_177)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
  const amountMinor = Math.floor(random(0) * 20_000)
  const sha = '3f9ac2d15be07846'
  return {
    transactionId: `t-${1_000_000 + i}`,
    eventTime: 1_767_225_600_000 + i * 37,
    keys: {
      customer: `c-${Math.floor(random(1) * 5000)}`,
      terminal: `m-${Math.floor(random(2) * 10_000)}`,
    },
    carried: { amountMinor, currency: 'EUR' },
    ...{ score: Math.fround(random(3) * 0.3) },
    ...{ decision: 'approve', decidedBy: 'policy', reasons: [] },
    ...{ modelName: 'bench', modelVersion: '1.0.0', modelSha256: sha.repeat(4) },
    ...{ modelProvider: 'cpu', modelRole: 'champion', modelMs: 1.25, challengers: [] },
    // Counts are small whole numbers, means and sums fill all bits.
    features: features.map((_, f) =>
      Math.fround(f % 2 === 0 ? Math.floor(random(10 + f) * 60) : random(10 + f) * 90),
    ),
    featureSet: sha,
    ordinals: entities.map((_, e) => Math.floor(random(100 + e) * 900)),
    ...{ eventsSeen: [], labelsSeen: [], saturated: false },
    ...{ sourcePartition: 2, sourceOffset: 118_204 + i, latenessMs: 0 },
    brokerTime: 1_767_225_600_040 + i,
    scoredTime: 1_767_225_600_052,
    ...{ degraded: false, pipeline, pipelineHash: sha, controlEpoch: 0 },
  }
}
