// Raw values to one event: absent and required, money and its currency, ids of position and hash,
// computed fields, what `where` picks.

import { describe, expect, it } from 'vitest'
import { createAssembler, FieldFault } from '../../services/mapping/assemble-event.ts'
import { mappedInput } from '../support/shipped-input.ts'

type Written = NonNullable<Parameters<typeof mappedInput>[0]['transactions']>

const roles: Written = { transactionId: 'id', eventTime: { path: 'at', unit: 'ms' } }
const origin = { partition: 3, offset: 41, brokerTimeMs: 5000, key: Buffer.from('the key') }

/** What becomes of a row with these values by path. */
function assemble(fields: Written, values: Record<string, unknown>, where: string | null = null) {
  const { transactions } = mappedInput({ transactions: { ...roles, ...fields } }).input
  const assembler = createAssembler(transactions.fields, where)
  const row: Record<string, unknown> = { id: 't1', at: 7, ...values }
  const raws = assembler.paths.map(([step]) => row[(step as { name: string }).name])
  return assembler.assemble(raws, { ...origin, headers: { shop: [Buffer.from('a'), 'b'] } })
}

const codeOf = (found: unknown) => (found instanceof FieldFault ? found.code : null)

describe('assemble event', () => {
  it('gives absent fields their value, or null, and all events one order of fields', () => {
    const fields = { note: 'note', rank: { path: 'rank', type: 'integer', absent: 9 } } as const
    expect(assemble(fields, {})).toEqual({ transactionId: 't1', eventTime: 7, note: null, rank: 9 })
    const one = Object.keys(assemble(fields, { note: 'x' }))
    expect(Object.keys(assemble(fields, { rank: 2 }))).toEqual(one)
  })

  it('refuses what is required and missing, by the code of its kind, and names no value', () => {
    const secret = { card: { required: true }, paid: { currency: 'EUR' } } as const
    expect(codeOf(assemble(secret, { paid: 1 }))).toBe('WEIR_VALIDATE_ID')
    expect(codeOf(assemble(secret, { card: 'c' }))).toBe('WEIR_VALIDATE_AMOUNT')
    expect(codeOf(assemble(secret, { card: 'c', paid: 1e12 }))).toBe('WEIR_VALIDATE_AMOUNT')
    const fault = assemble(secret, { card: 'c', paid: 'fourtytwo 42' }) as FieldFault
    expect(fault.detail).toMatch(/^paid: found .* expected a whole number of minor units/)
    expect(fault.detail).not.toContain('42')
    expect(codeOf(assemble({}, { at: 'soon' }))).toBe('WEIR_DECODE_FIELD')
  })

  it('takes amounts by the currency of another field, wherever that stands', () => {
    const fields = {
      paid: { unit: 'major', currency: 'money' },
      money: { type: 'currency' },
    } as const
    expect(assemble(fields, { paid: '8000', money: 'jpy' })).toMatchObject({ paid: 8000 })
    expect(assemble(fields, { paid: '15.001', money: 'KWD' })).toMatchObject({ paid: 15_001 })
    expect(codeOf(assemble(fields, { paid: '1.5', money: 'JPY' }))).toBe('WEIR_VALIDATE_AMOUNT')
    expect(codeOf(assemble(fields, { paid: 1, money: 'EURO' }))).toBe('WEIR_VALIDATE_CURRENCY')
  })

  it('reads key, headers and place, and makes ids of place and of other fields', () => {
    const fields = {
      card: { from: 'key' },
      shop: { from: 'header:shop' },
      seen: { from: 'brokerTime', type: 'time' },
      place: { from: 'position' },
      digest: { from: 'hash', of: ['card', 'shop'] },
    } as const
    const event = assemble(fields, {})
    expect(event).toMatchObject({ card: 'the key', shop: 'b', seen: 5000, place: '3-41' })
    const other = assemble({ ...fields, card: 'card', shop: 'x' }, { card: 'the keyb' })
    expect((event as { digest: string }).digest).not.toBe((other as { digest: string }).digest)
  })

  it('cuts long texts, which cost nobody the event', () => {
    const event = assemble({ device: 'device' }, { device: 'd'.repeat(1000) })
    expect((event as { device: string }).device).toHaveLength(256)
  })

  it('computes fields from those before them; what cannot be computed is absent', () => {
    const fields = {
      a: { type: 'number' },
      b: { type: 'number' },
      share: { expression: 'a / b', type: 'number' },
      isHalf: { expression: 'share == 0.5', type: 'flag' },
    } as const
    expect(assemble(fields, { a: 1, b: 2 })).toMatchObject({ share: 0.5, isHalf: true })
    expect(assemble(fields, { a: 1, b: 0 })).toMatchObject({ share: null })
  })

  it('skips what where does not pick, also if it lacks what an event must have', () => {
    const fields = { kind: 'kind', card: { required: true } } as const
    const where = 'kind == "payment"'
    expect(codeOf(assemble(fields, { kind: 'beat' }, where))).toBe('WEIR_DECODE_SKIPPED')
    expect(codeOf(assemble(fields, { kind: 'payment' }, where))).toBe('WEIR_VALIDATE_ID')
    expect(codeOf(assemble(fields, { kind: 'payment', card: 'c' }, where))).toBeNull()
  })

  it('is no label without a verdict', () => {
    const { labels } = mappedInput({
      labels: { transactionId: 'id', isFraud: { path: 'y', yes: ['F'], no: ['G'] } },
    }).input
    const { assemble: make } = createAssembler(labels.fields)
    expect(make(['t', 'f'], origin)).toMatchObject({ isFraud: true })
    expect(make(['t', 'G'], origin)).toMatchObject({ isFraud: false })
    expect(codeOf(make(['t', 'open'], origin))).toBe('WEIR_DECODE_SKIPPED')
  })
})
