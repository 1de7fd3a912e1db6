// The validate stage: what passes can be stored, keyed and summed; all else gets its code.

import { describe, expect, it } from 'vitest'
import { limits } from '../../../services/core/limits.ts'
import {
  type ValidateRules,
  validateLabel,
  validateTransaction,
} from '../../../services/pipeline/validate/validate.ts'
import {
  type CardLabel,
  type CardTransaction,
  EPOCH_MS,
  fraudLabelOf,
  transactionOf,
} from '../../support/batches.ts'
import { rawOf } from '../../support/stage-batches.ts'

const rules: ValidateRules = {
  ageMaxMs: 10_000,
  futureMaxMs: 500,
  idFields: ['transactionId', 'customerId', 'terminalId'],
}
const message = { ...rawOf(0), brokerTimeMs: EPOCH_MS }

const judge = (wanted: Partial<CardTransaction>) =>
  validateTransaction(transactionOf(wanted), message, rules)
const judgeLabel = (wanted: Partial<CardLabel>) =>
  validateLabel(fraudLabelOf(transactionOf(), wanted), message, rules)

const longest = 'x'.repeat(limits.idLengthMax)

describe('validate', () => {
  const passing: readonly Partial<CardTransaction>[] = [
    {},
    { transactionId: longest, customerId: longest, terminalId: longest },
    { deviceId: 'd', ipAddress: '10.0.0.1', mcc: '5411', country: 'DE', channel: 'online' },
    { eventTime: EPOCH_MS + 500 },
    { eventTime: EPOCH_MS - 10_000 },
    { deviceId: '', ipAddress: `${longest}x` },
  ]
  it.each(passing)('passes %j', (wanted) => {
    expect(judge(wanted)).toBeNull()
  })

  const refused: readonly (readonly [string, Partial<CardTransaction>])[] = [
    ['WEIR_VALIDATE_ID', { transactionId: '' }],
    ['WEIR_VALIDATE_ID', { customerId: '' }],
    ['WEIR_VALIDATE_ID', { terminalId: '' }],
    ['WEIR_VALIDATE_ID', { transactionId: `${longest}x` }],
    ['WEIR_VALIDATE_ID', { customerId: `${longest}x` }],
    ['WEIR_VALIDATE_ID', { terminalId: `${longest}x` }],
    ['WEIR_VALIDATE_TOO_OLD', { eventTime: EPOCH_MS - 10_001 }],
    ['WEIR_VALIDATE_FUTURE', { eventTime: EPOCH_MS + 501 }],
  ]
  it.each(refused)('rejects with %s: %j', (code, wanted) => {
    expect(judge(wanted)).toMatchObject({ code, stage: 'validate' })
  })

  it("measures age by the broker's time of the message, not by any clock", () => {
    const old = transactionOf({ eventTime: EPOCH_MS })
    const later = { ...message, brokerTimeMs: EPOCH_MS + 20_000 }
    expect(validateTransaction(old, message, rules)).toBeNull()
    expect(validateTransaction(old, later, rules)?.code).toBe('WEIR_VALIDATE_TOO_OLD')
  })

  it('says what was found and expected, and never an id', () => {
    const { detail } = judge({ customerId: 'secret'.repeat(20) })!
    expect(detail).toBe(
      `customerId has 120 characters, expected 1 to ${limits.idLengthMax} characters`,
    )
  })

  const refusedLabels: readonly (readonly [string, Partial<CardLabel>])[] = [
    ['WEIR_VALIDATE_ID', { transactionId: '' }],
    ['WEIR_VALIDATE_ID', { customerId: `${longest}x` }],
    ['WEIR_VALIDATE_ID', { terminalId: '' }],
    ['WEIR_VALIDATE_TOO_OLD', { eventTime: EPOCH_MS - 10_001 }],
    ['WEIR_VALIDATE_FUTURE', { labelTime: EPOCH_MS + 501 }],
  ]
  it.each(refusedLabels)('rejects a label with %s: %j', (code, wanted) => {
    expect(judgeLabel(wanted)).toMatchObject({ code, stage: 'validate' })
    expect(judgeLabel({})).toBeNull()
  })
})
