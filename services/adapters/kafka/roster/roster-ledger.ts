// The ledger of a pipeline's rosters on Kafka: read it, or add the next roster to it.
//
//   change   InitProducerId of weir.roster.<control topic>.<pipeline> (fences every other operator)
//            ─► read both topics to their end ─► epoch as seen? ─► next roster
//            ─► roster and audit record in one Kafka transaction
//
// In: a change, its author, the epoch that the author saw. Out: the step that was made. Refused,
// with nothing changed: what changeRoster refuses; another epoch, or an operator who came later
// (WEIR_ROSTER_CONFLICT); and what reading refuses. WEIR_ROSTER_IN_DOUBT: no answer to the commit,
// and none to the question what became of it. Invariant: one record per epoch in each topic, both
// or none.

import { isDeepStrictEqual } from 'node:util'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import type { PipelineDefinition } from '../../../core/pipeline-definition.ts'
import type { RosterModel } from '../../../roster/roster.ts'
import {
  changeRoster,
  type RosterAuthor,
  type RosterChange,
  type RosterStep,
} from '../../../roster/roster-change.ts'
import {
  type Kafka,
  kafkajs,
  type Producer,
  type TopicMessages,
  transactionalRetry,
} from '../client/kafka-client.ts'
import { demandStoredOnce } from '../lanes/stored-once.ts'
import { askWhileThere, createRosterCodec, type RosterRegistry } from './roster-codec.ts'
import { type RosterReading, type RosterSight, readRosters } from './roster-reading.ts'
import { type AuditRecord, type ControlRecord, writeAudit, writeControl } from './roster-records.ts'

type RosterLedgerOptions = {
  readonly kafka: Kafka
  readonly registry: RosterRegistry
  readonly definition: Pick<PipelineDefinition, 'pipeline' | 'topics' | 'model'>
}

export type ChangeWish = {
  readonly author: RosterAuthor
  /** Epoch of the roster that the author has seen; null = whichever is in force. */
  readonly epoch: number | null
}

export type RosterLedger = {
  readonly read: () => Promise<RosterSight>
  /** @param choose the change, for a champion whose name may be taken from the roster in force. */
  readonly change: (
    choose: (champion: RosterModel) => RosterChange,
    wish: ChangeWish,
  ) => Promise<RosterStep>
}

type Ledger = Omit<RosterLedgerOptions, 'registry'> & {
  readonly codecs: Parameters<typeof readRosters>[0]['codecs']
}

export function openRosterLedger({
  kafka,
  registry,
  definition,
}: RosterLedgerOptions): RosterLedger {
  const { modelControl, modelAudit } = definition.topics
  const asked = askWhileThere(registry)
  const codecs = {
    control: createRosterCodec<ControlRecord>('model-control', modelControl, asked),
    audit: createRosterCodec<AuditRecord>('model-audit', modelAudit, asked),
  }
  const ledger = { kafka, definition, codecs }
  return {
    read: () => readLedger(ledger),
    change: (choose, wish) => makeChange(ledger, choose, wish),
  }
}

const readLedger = ({ definition, ...place }: Ledger): Promise<RosterReading> =>
  readRosters({ ...place, topics: definition.topics }, definition)

async function makeChange(
  ledger: Ledger,
  choose: (champion: RosterModel) => RosterChange,
  { author, epoch }: ChangeWish,
): Promise<RosterStep> {
  const producer = createProducer(ledger)
  try {
    // Before anything is read: whoever fenced before and has not committed yet will not any more.
    await fenceOthers(producer)
    const { inForce, steps, newest } = await readLedger(ledger)
    if (epoch !== null && inForce.epoch !== epoch) {
      const { who, why } = inForce
      const found = `found epoch ${inForce.epoch} (${who}: ${why})`
      throw new WeirError('WEIR_ROSTER_CONFLICT', `${found}, expected --epoch ${epoch}.`)
    }
    const change = choose(inForce.champion)
    const after = changeRoster(inForce, change, { author, steps })
    const step: RosterStep = { action: change.action, before: inForce, after }
    await commitStep(ledger, producer, { step, messages: await compose(ledger, step, newest) })
    return step
  } finally {
    await producer.disconnect().catch(() => undefined)
  }
}

const createProducer = ({ kafka, definition }: Ledger): Producer =>
  kafka.producer({
    // With the topic: pipelines of one name with prefixes of their own have ledgers of their own.
    transactionalId: `weir.roster.${definition.topics.modelControl}.${definition.pipeline}`,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    transactionTimeout: limits.transactionMsMax,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: transactionalRetry,
  })

async function fenceOthers(producer: Producer): Promise<void> {
  try {
    await producer.connect()
    const fence = await producer.transaction()
    await fence.abort()
  } catch (error) {
    throw troubleOf(error)
  }
}

async function compose(
  { definition, codecs }: Ledger,
  step: RosterStep,
  newest: RosterReading['newest'],
): Promise<TopicMessages[]> {
  const { pipeline: key, topics } = definition
  const encodeControl = await codecs.control.openEncoder(newest.control)
  const encodeAudit = await codecs.audit.openEncoder(newest.audit)
  const values = [
    [topics.modelControl, encodeControl(writeControl(step.after))],
    [topics.modelAudit, encodeAudit(writeAudit(step))],
  ] as const
  return values.map(([topic, value]) => ({ topic, messages: [{ key, value, partition: 0 }] }))
}

type Written = { readonly step: RosterStep; readonly messages: TopicMessages[] }

async function commitStep(ledger: Ledger, producer: Producer, written: Written): Promise<void> {
  let isStored = false
  try {
    const transaction = await producer.transaction()
    const answer = await transaction.sendBatch({ topicMessages: written.messages, acks: -1 })
    demandStoredOnce(written.messages, answer)
    isStored = true
    await transaction.commit()
  } catch (error) {
    // Nothing was ever committed: the next fence, or the broker after a while, aborts what was
    // sent.
    if (!isStored) throw troubleOf(error)
    await settle(ledger, written.step, error)
  }
}

/**
 * The answer to a commit was lost. What was stored lies before the topics' ends, and reading to
 * there waits until the transaction has ended one way or the other.
 */
async function settle(ledger: Ledger, step: RosterStep, cause: unknown): Promise<void> {
  const { epoch } = step.after
  const sight = await readLedger(ledger).catch(() => {
    const detail = `Epoch ${epoch} was sent; the commit failed: ${String(cause)}.`
    throw new WeirError('WEIR_ROSTER_IN_DOUBT', detail, { cause })
  })
  const made = sight.steps.find(({ after }) => after.epoch === epoch)
  if (isDeepStrictEqual(made, step)) return
  throw made === undefined ? troubleOf(cause) : conflict(cause)
}

/** A newer producer has this id, or has aborted what this one had begun. */
const fencedTypes = ['INVALID_PRODUCER_EPOCH', 'INVALID_TXN_STATE']

function troubleOf(error: unknown): WeirError {
  if (error instanceof WeirError) return error
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (fencedTypes.includes(String((cause as { type?: unknown }).type))) return conflict(error)
  }
  const reason = error instanceof Error ? error.message : String(error)
  const detail = `The roster was not changed: ${reason}`
  return new WeirError('WEIR_KAFKA_AWAY', detail, { cause: error })
}

function conflict(cause: unknown): WeirError {
  const otherwise = `the brokers took longer than ${limits.transactionMsMax} ms (transactionMsMax)`
  const detail = `Another operator came later, or ${otherwise}.`
  return new WeirError('WEIR_ROSTER_CONFLICT', detail, { cause })
}
