// The validate stage: decoded values in, a rejection or null for each out.
//
// Synchronous and pure; the broker's append time of each message is the clock, so that a
// redelivered event meets the same verdict. Rejected, with a code each: an id that is missing or
// too long, an amount below zero or above the limit, a currency that ISO 4217 does not know, an
// event time too old or ahead of the broker's clock. Invariant: what passes can be stored, keyed
// and summed exactly.

import type { RejectionCode } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Label, RawMessage, Rejection, Transaction } from '../records.ts'
import { currencies } from './currencies.ts'

export type ValidateRules = PipelineDefinition['validate']

const reject = (code: RejectionCode, detail: string): Rejection => ({
  code,
  stage: 'validate',
  detail,
})

export function validateTransaction(
  transaction: Transaction,
  message: RawMessage,
  rules: ValidateRules,
): Rejection | null {
  const { transactionId, customerId, terminalId, deviceId, ipAddress } = transaction
  return (
    checkId('transactionId', transactionId) ??
    checkId('customerId', customerId) ??
    checkId('terminalId', terminalId) ??
    (deviceId === null ? null : checkId('deviceId', deviceId)) ??
    (ipAddress === null ? null : checkId('ipAddress', ipAddress)) ??
    checkAmount(transaction.amountMinor) ??
    checkCurrency(transaction.currency) ??
    checkTime('eventTime', transaction.eventTime, message.brokerTimeMs, rules)
  )
}

export function validateLabel(
  label: Label,
  message: RawMessage,
  rules: ValidateRules,
): Rejection | null {
  return (
    checkId('transactionId', label.transactionId) ??
    checkId('customerId', label.customerId) ??
    checkId('terminalId', label.terminalId) ??
    checkTime('eventTime', label.eventTime, message.brokerTimeMs, rules) ??
    checkTime('labelTime', label.labelTime, message.brokerTimeMs, rules)
  )
}

function checkId(field: string, id: string): Rejection | null {
  if (id.length > 0 && id.length <= limits.idLengthMax) return null
  const expected = `1 to ${limits.idLengthMax} characters`
  return reject('WEIR_VALIDATE_ID', `${field} has ${id.length} characters, expected ${expected}`)
}

function checkAmount(amountMinor: number): Rejection | null {
  if (amountMinor >= 0 && amountMinor <= limits.amountMinorMax) return null
  const found = amountMinor < 0 ? 'below 0' : `above ${limits.amountMinorMax}`
  return reject('WEIR_VALIDATE_AMOUNT', `amountMinor is ${found}`)
}

function checkCurrency(currency: string): Rejection | null {
  if (currencies.has(currency)) return null
  const shown = JSON.stringify(currency.slice(0, 8))
  return reject('WEIR_VALIDATE_CURRENCY', `found ${shown}, expected an ISO 4217 code such as EUR`)
}

function checkTime(
  field: string,
  timeMs: number,
  brokerTimeMs: number,
  { ageMaxMs, futureMaxMs }: ValidateRules,
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
