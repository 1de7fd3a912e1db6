// What is read whole before the events are compared: refused events, and labels that say fraud.
//
// In: a scope. Out: refusals in the ledger, with the messages whose schema the registry did not
// know when they were met, because it may know it by now, and the events that were counted and then
// set aside, which stand in the logs; labels in the order of each partition. Labels have no output
// of their own: what the stages accept of them is what the label logs hold. Memory: the fraud
// labels, some hundred bytes each.

import { laneIdOf } from '../../lanes/lane-input.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import { encodeSource } from '../../pipeline/enrich/entity-log.ts'
import { type AppliedRejection, isApplied } from '../../pipeline/publish/applied-record.ts'
import type { RejectedRecord } from '../../pipeline/publish/output-records.ts'
import type { Label } from '../../pipeline/records.ts'
import { planValidate, validateLabel } from '../../pipeline/validate/validate.ts'
import type { PlacedLabel } from '../labels/label-orders.ts'
import type { OutcomeLedger } from '../labels/outcome-ledger.ts'
import { readValues } from '../naive/read-values.ts'
import type { ParityEnvironment } from './parity-environment.ts'
import type { ParityScope } from './parity-scope.ts'

type WasUnknown = (partition: number, offset: number) => boolean

export type Refusals = {
  readonly wasUnknown: WasUnknown
  /** Counted and then set aside, by partition and offset, in the order in which that was done. */
  readonly setAside: ReadonlyMap<string, AppliedRejection>
}

export const placeKey = (partition: number, offset: number): string => `${partition}/${offset}`

export async function readRefusals(
  { kafka, definition, decoders }: ParityEnvironment,
  { rejected, late }: ParityScope,
  ledger: OutcomeLedger,
): Promise<Refusals> {
  const unknown = new Set<string>()
  const setAside: [string, AppliedRejection][] = []
  const isOurs = ({ sourceTopic }: RejectedRecord) => sourceTopic === definition.topics.transactions
  const read = (ranges: typeof rejected, decoder: Decoder<RejectedRecord>) =>
    readValues({ kafka, ranges, decoder })
  for await (const { value } of read(rejected, decoders.rejected)) {
    if (!isOurs(value)) continue
    ledger.meet(value, 'rejected')
    const key = placeKey(value.sourcePartition, value.sourceOffset)
    if (isApplied(value)) setAside.push([key, value])
    if (value.code === 'WEIR_DECODE_UNKNOWN_SCHEMA') unknown.add(key)
  }
  for await (const { value } of read(late, decoders.late)) {
    if (isOurs(value)) ledger.meet(value, 'late')
  }
  setAside.sort(([, a], [, b]) => a.rejectedTime - b.rejectedTime)
  return {
    wasUnknown: (partition, offset) => unknown.has(placeKey(partition, offset)),
    setAside: new Map(setAside),
  }
}

export async function readLabels(
  { kafka, definition, decoders }: ParityEnvironment,
  { labels }: ParityScope,
): Promise<PlacedLabel[]> {
  const placed: PlacedLabel[] = []
  const read = readValues({ kafka, ranges: labels, decoder: decoders.labels })
  for await (const { value, raw, partition } of read) {
    if (!value.isFraud || validateLabel(value, raw, planValidate(definition)) !== null) continue
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
