// The events that a pipeline takes whose file maps no fields: those of schemas/transaction.avsc and
// schemas/label.avsc, as the file would write them.
//
// In: nothing; a table. Out: mappings. Invariant: a test holds the names, and which of them may be
// absent, against the schemas.

import type { WrittenField } from './written-field.ts'

const ms = { type: 'time', unit: 'ms' } as const
const text = { required: true } as const

export const defaultInput = {
  transactions: {
    transactionId: {},
    eventTime: ms,
    customerId: text,
    terminalId: text,
    amountMinor: { type: 'money', currency: 'currency', required: true },
    currency: { type: 'currency', required: true },
    mcc: {},
    country: {},
    channel: {},
    deviceId: {},
    ipAddress: {},
  },
  labels: {
    transactionId: {},
    eventTime: ms,
    customerId: text,
    terminalId: text,
    isFraud: { required: true },
    labelTime: ms,
    source: { absent: 'file' },
  },
} as const satisfies Record<string, Readonly<Record<string, WrittenField>>>
