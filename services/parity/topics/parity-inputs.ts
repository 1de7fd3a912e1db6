// What is read whole before the events are compared: refused events, and labels that say fraud.
//
// In: a scope. Out: refusals in the ledger, with the messages whose schema the registry did not know
// when they were met, because it may know it by now; labels in the order of each partition. Labels have
// no output of their own: what the stages accept of them is what the label logs hold. Memory: the
// fraud labels, some hundred bytes each.

import { laneIdOf } from '../../lanes/lane-input.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import { encodeSource } from '../../pipeline/enrich/entity-log.ts'
import type { RejectedRecord } from '../../pipeline/publish/output-records.ts'
import type { Label } from '../../pipeline/records.ts'
import { validateLabel } from '../../pipeline/validate/validate.ts'
import type { PlacedLabel } from '../labels/label-orders.ts'
import type { OutcomeLedger } from '../labels/outcome-ledger.ts'
import { readValues } from '../naive/read-values.ts'
import type { ParityEnvironment } from './parity-environment.ts'
import type { ParityScope } from './parity-scope.ts'

export type WasUnknown = (partition: number, offset: number) => boolean

export async function readRefusals(
  { kafka, definition, decoders }: ParityEnvironment,
  { rejected, late }: ParityScope,
  ledger: OutcomeLedger,
): Promise<WasUnknown> {
  const unknown = new Set<string>()
  const isOurs = ({ sourceTopic }: RejectedRecord) => sourceTopic === definition.topics.transactions
  const read = (ranges: typeof rejected, decoder: Decoder<RejectedRecord>) =>
    readValues({ kafka, ranges, decoder })
  for await (const { value } of read(rejected, decoders.rejected)) {
    if (!isOurs(value)) continue
    ledger.meet(value, 'rejected')
    if (value.code !== 'WEIR_DECODE_UNKNOWN_SCHEMA') continue
    unknown.add(`${value.sourcePartition}/${value.sourceOffset}`)
  }
  for await (const { value } of read(late, decoders.late)) {
    if (isOurs(value)) ledger.meet(value, 'late')
  }
  return (partition, offset) => unknown.has(`${partition}/${offset}`)
}

export async function readLabels(
  { kafka, definition, decoders }: ParityEnvironment,
  { labels }: ParityScope,
): Promise<PlacedLabel[]> {
  const placed: PlacedLabel[] = []
  const read = readValues({ kafka, ranges: labels, decoder: decoders.labels })
  for await (const { value, raw, partition } of read) {
    if (!value.isFraud || validateLabel(value, raw, definition.validate) !== null) continue
    placed.push({ partition, offset: raw.offset, label: value })
  }
  return placed
}

/** Finds the label of a row of a label log by the row's source. */
export function indexLabels(labels: readonly PlacedLabel[]): (source: number) => Label {
  const bySource = new Map(
    labels.map(({ partition, offset, label }) => [
      encodeSource(laneIdOf('labels', partition), offset),
      label,
    ]),
  )
  return (source) => bySource.get(source)!
}
