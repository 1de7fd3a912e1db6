// Messages to arrivals, as the live stages admit them: decode, and where it matters validate.
//
// In: messages of a lane. Out: arrivals, one per message, in order. Schema ids that are not known
// yet are learned first. Committed transactions need no verdict, their scored event is one: they
// are decoded only, so that a rule that was changed since cannot make a counted event disappear.

import { WeirError } from '../../core/errors.ts'
import { decodeLearning } from '../../pipeline/decode/decode-learning.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { PipelineDeps } from '../../pipeline/pipeline.ts'
import type { Arrival, RawMessage, Rejection, Stream, Transaction } from '../../pipeline/records.ts'
import { validateLabel, validateTransaction } from '../../pipeline/validate/validate.ts'

export type AdmittingStages = Pick<PipelineDeps, 'decoders' | 'validate'>

export async function admitMessages(
  stream: Stream,
  messages: readonly RawMessage[],
  { decoders, validate }: AdmittingStages,
): Promise<Arrival[]> {
  return stream === 'transactions'
    ? admit(messages, decoders.transactions, (transaction, raw) => {
        const rejection = validateTransaction(transaction, raw, validate)
        return { transaction: rejection === null ? transaction : null, label: null, rejection }
      })
    : admit(messages, decoders.labels, (label, raw) => {
        const rejection = validateLabel(label, raw, validate)
        return { transaction: null, label: rejection === null ? label : null, rejection }
      })
}

/** Messages that were scored. Refused: one that can no longer be read. */
export async function decodeScored(
  messages: readonly RawMessage[],
  { decoders }: AdmittingStages,
): Promise<Arrival[]> {
  const arrivals = await admit<Transaction>(messages, decoders.transactions, (transaction) => ({
    transaction,
    label: null,
    rejection: null,
  }))
  const unread = arrivals.find(({ rejection }) => rejection !== null)
  if (unread !== undefined) {
    const { detail } = unread.rejection!
    const found = `Offset ${unread.raw.offset} was scored and cannot be read any more: ${detail}.`
    throw new WeirError('WEIR_ENRICH_STATE_LOST', found)
  }
  return arrivals
}

type Verdict = Omit<Arrival, 'raw'>

async function admit<T>(
  messages: readonly RawMessage[],
  decoder: Decoder<T>,
  judge: (value: T, raw: RawMessage) => Verdict,
): Promise<Arrival[]> {
  const decoded = await decodeLearning(messages, decoder)
  return messages.map((raw, i) => {
    const value = decoded.values[i]
    if (value === null || value === undefined) return { raw, ...refuse(decoded.rejections[i]!) }
    return { raw, ...judge(value, raw) }
  })
}

const refuse = (rejection: Rejection): Verdict => ({ transaction: null, label: null, rejection })
