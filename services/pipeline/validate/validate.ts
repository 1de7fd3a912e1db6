// The validate stage: decoded values in, a rejection or null for each out.
//
// Synchronous and pure; the broker's append time of each message is the clock, so that a
// redelivered event meets the same verdict. Rejected, with a code each: an id that is missing or
// too long, an event time too old or ahead of the broker's clock. Amounts, currencies and all else
// that follows from a field's type is the mapping's (services/mapping). Invariant: what passes can
// be stored and keyed.

import type { RejectionCode } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Label, RawMessage, Rejection, Transaction } from '../records.ts'

export type ValidateRules = PipelineDefinition['validate'] & {
  /** Fields whose texts have to be short: ids, parts of entities' keys, what is required. */
  readonly idFields: readonly string[]
}

export const planValidate = ({
  validate,
  entities,
  input,
}: Pick<PipelineDefinition, 'validate' | 'entities' | 'input'>): ValidateRules => {
  const required = input.transactions.fields.filter(
    ({ type, isRequired }) => type.kind === 'text' && isRequired,
  )
  const ids = ['transactionId', ...entities.flatMap(({ key }) => key)]
  return { ...validate, idFields: [...new Set([...ids, ...required.map(({ name }) => name)])] }
}

const reject = (code: RejectionCode, detail: string): Rejection => ({
  code,
  stage: 'validate',
  detail,
})

/** @param idFields what events and logs are known by: the id, and the parts of entities' keys. */
export function validateTransaction(
  transaction: Transaction,
  message: RawMessage,
  { idFields, ...rules }: ValidateRules,
): Rejection | null {
  return (
    checkIds(transaction, idFields) ??
    checkTime('eventTime', transaction.eventTime, message.brokerTimeMs, rules)
  )
}

export function validateLabel(
  label: Label,
  message: RawMessage,
  { idFields, ...rules }: ValidateRules,
): Rejection | null {
  return (
    checkIds(label, idFields) ??
    checkTime('eventTime', label.eventTime, message.brokerTimeMs, rules) ??
    checkTime('labelTime', label.labelTime, message.brokerTimeMs, rules)
  )
}

function checkIds(event: Transaction | Label, idFields: readonly string[]): Rejection | null {
  for (const field of idFields) {
    const id = event[field]
    if (typeof id !== 'string') continue
    if (id.length === 0 || id.length > limits.idLengthMax) return refuseId(field, id)
  }
  return null
}

function refuseId(field: string, id: string): Rejection {
  const expected = `1 to ${limits.idLengthMax} characters`
  return reject('WEIR_VALIDATE_ID', `${field} has ${id.length} characters, expected ${expected}`)
}

function checkTime(
  field: string,
  timeMs: number,
  brokerTimeMs: number,
  { ageMaxMs, futureMaxMs }: PipelineDefinition['validate'],
): Rejection | null {
  const ageMs = brokerTimeMs - timeMs
  if (ageMs > ageMaxMs) {
    const detail = `${field} lies ${ageMs} ms before the broker's time, expected at most ${ageMaxMs}`
    return reject('WEIR_VALIDATE_TOO_OLD', detail)
  }
  if (-ageMs > futureMaxMs) {
    const detail = `${field} lies ${-ageMs} ms after the broker's time, expected at most ${futureMaxMs}`
    return reject('WEIR_VALIDATE_FUTURE', detail)
  }
  return null
}
