// The section of docs/benchmarks.md on compression, and what `bench codec` prints.
//
// In: a result of the case. Out: Markdown. Nothing is refused.

import type { CodecCase } from '../cases/codec.ts'
import { table } from './markdown-table.ts'

export function renderCodecs({ rows }: CodecCase): string {
  const cells = rows.map((row) => [
    String(row.records),
    row.codec,
    row.bytesPerRecord.toFixed(0),
    row.packMicrosPerRecord.toFixed(2),
    row.unpackMicrosPerRecord.toFixed(2),
  ])
  return [
    'Scored events in one record batch: bytes and CPU time per event, packing (the scorer) and unpacking ' +
      '(the broker, which checks each batch, and every consumer).',
    table(['Events', 'Codec', 'Bytes', 'Pack, us', 'Unpack, us'], cells),
  ].join('\n\n')
}
