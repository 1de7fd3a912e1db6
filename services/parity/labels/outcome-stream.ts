// Scored events beside the transactions they were made from, in one pass over both topics.
//
// In: a scope; what is to be told on the way. Out: outcomes, nearly in the order in which they were
// scored, and the input lanes, which may be read on. Each message is handed out once, so an event
// that was published twice comes once. Messages that the stages refuse have no outcome here.

import { openTopicRanges } from '../../adapters/kafka/ranges/topic-ranges.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { type AppliedRejection, asScoredRecord } from '../../pipeline/publish/applied-record.ts'
import type { ScoredTransactionRecord } from '../../pipeline/publish/output-records.ts'
import type { ParityEnvironment } from '../topics/parity-environment.ts'
import { placeKey, type Refusals } from '../topics/parity-inputs.ts'
import type { ParityScope } from '../topics/parity-scope.ts'
import { openReceivedLanes, type ReceivedLanes } from '../topics/received-lanes.ts'
import { streamScored, type UnreadableRecord } from '../topics/scored-stream.ts'
import type { JoinedOutcome } from './joined-outcome.ts'
import type { OutcomeKind } from './outcome-ledger.ts'

export type PassListener = Refusals & {
  readonly expect: (partition: number, offset: number, outcome: OutcomeKind) => void
  /** Gets every record of the scored topic first; false = leave it out. */
  readonly admit: (record: ScoredTransactionRecord) => boolean
  readonly tellUnreadable: (record: UnreadableRecord) => void
}

export type OutcomePass = {
  readonly lanes: ReceivedLanes
  readonly outcomes: AsyncIterable<readonly JoinedOutcome[]>
  readonly close: () => Promise<void>
}

export async function openPass(
  { kafka, definition, decoders }: ParityEnvironment,
  { input, scored }: Pick<ParityScope, 'input' | 'scored'>,
  listener: PassListener,
): Promise<OutcomePass> {
  const topic = definition.topics.transactions
  const spans = [...input].map(([partition, span]) => ({ topic, partition, ...span }))
  const ranges = await openTopicRanges(kafka, [...spans, ...scored])
  const lanes = openReceivedLanes(
    spans.map(({ partition, from, to }, i) => ({
      partition,
      span: { from, to },
      messages: ranges.read(i),
    })),
    {
      ...listener,
      definition,
      decoder: decoders.transactions,
      wasSetAside: (partition, offset) => listener.setAside.has(placeKey(partition, offset)),
    },
  )
  const records = streamScored(
    scored.map(({ partition }, i) => ({ partition, messages: ranges.read(spans.length + i) })),
    { decoder: decoders.scored, tellUnreadable: listener.tellUnreadable },
  )
  return { lanes, outcomes: join(records, { lanes, definition }, listener), close: ranges.close }
}

type Received = { readonly lanes: ReceivedLanes; readonly definition: PipelineDefinition }

async function* join(
  runs: AsyncIterable<readonly ScoredTransactionRecord[]>,
  received: Received,
  { admit, setAside }: PassListener,
): AsyncGenerator<readonly JoinedOutcome[], void, undefined> {
  const waiting = [...setAside.values()]
  const takeAside = async (untilMs: number): Promise<JoinedOutcome[]> => {
    const due = waiting.findIndex(({ rejectedTime }) => rejectedTime > untilMs)
    return joinAside(waiting.splice(0, due < 0 ? waiting.length : due), received)
  }
  for await (const run of runs) {
    const joined = await takeAside(run.at(-1)?.scoredTime ?? Number.NEGATIVE_INFINITY)
    for (const record of run) {
      if (!admit(record)) continue
      const { sourcePartition, sourceOffset } = record
      const message = await received.lanes.take(sourcePartition, sourceOffset)
      if (message !== null) joined.push({ record, ...message })
    }
    yield joined
  }
  yield await takeAside(Number.POSITIVE_INFINITY)
}

async function joinAside(
  rejections: readonly AppliedRejection[],
  { lanes, definition }: Received,
): Promise<JoinedOutcome[]> {
  const joined: JoinedOutcome[] = []
  for (const rejection of rejections) {
    const received = await lanes.take(rejection.sourcePartition, rejection.sourceOffset)
    if (received === null) continue
    const record = asScoredRecord(rejection, received.transaction, received.latenessMs, definition)
    joined.push({ record, ...received })
  }
  return joined
}
