/**
 * Poison: messages that a pipeline has to refuse, as data.
 *
 * In: a valid transaction beside which the poison appears. Out: a value for the message.
 * Invariant: each kind is refused by any reader of schemas/transaction.avsc and the rules beside
 * it; none can pass by chance (random bytes never start like a valid message).
 */
import type { RandomStream } from './random.ts'
import type { Transaction } from './timeline.ts'
import { type Wire, wireHeaderSize } from './wire.ts'

interface PoisonContext {
  /** A transaction with an id of its own, so that a poison is never mistaken for its neighbour. */
  readonly transaction: Transaction
  readonly wire: Wire
  readonly random: RandomStream
  readonly hugeBytes: number
}

interface PoisonKind {
  readonly weight: number
  readonly make: (context: PoisonContext) => Buffer | null
}

/** Ids longer than the 64 characters that the schema's words allow. */
const overLongId = 'x'.repeat(300)
/** No registry has given out this many ids. */
const unknownSchemaId = 2_000_000_000
/** ISO 4217 will not assign it: ZZ is reserved for users. */
const unknownCurrency = 'ZZZ'
const amountMinorAbsurd = 9_000_000_000_000_000
const farFutureMs = Date.UTC(2199, 0, 1)

export const poisonKinds = {
  random_bytes: {
    weight: 4,
    make: ({ random }) => {
      const bytes = random.bytes(random.integer(1, 200))
      bytes[0] = random.integer(2, 255)
      return bytes
    },
  },
  truncated: {
    weight: 4,
    make: ({ transaction, wire, random }) => {
      const bytes = wire.encodeTransaction(transaction)
      return bytes.subarray(0, random.integer(1, bytes.length - 1))
    },
  },
  trailing_bytes: {
    weight: 2,
    make: ({ transaction, wire, random }) =>
      Buffer.concat([wire.encodeTransaction(transaction), random.bytes(random.integer(1, 20))]),
  },
  wrong_schema_id: {
    weight: 4,
    make: ({ transaction, wire }) => {
      const bytes = Buffer.from(wire.encodeTransaction(transaction))
      bytes.writeUInt32BE(unknownSchemaId, 1)
      return bytes
    },
  },
  guid_header: {
    weight: 2,
    make: ({ transaction, wire, random }) => {
      const body = wire.encodeTransaction(transaction).subarray(wireHeaderSize)
      return Buffer.concat([Buffer.of(1), random.bytes(16), body])
    },
  },
  null_value: { weight: 4, make: () => null },
  empty_value: { weight: 2, make: () => Buffer.alloc(0) },
  huge_value: {
    weight: 1,
    make: ({ hugeBytes, wire }) => {
      // A valid start and a body of zeros, which is no transaction: ids are empty, bytes left over.
      const bytes = Buffer.alloc(hugeBytes)
      bytes.writeUInt32BE(wire.schemaIds.transactions, 1)
      return bytes
    },
  },
  negative_amount: invalid(({ amountMinor }) => ({ amountMinor: -amountMinor })),
  over_large_amount: invalid(() => ({ amountMinor: amountMinorAbsurd })),
  unknown_currency: invalid(() => ({ currency: unknownCurrency })),
  empty_transaction_id: invalid(() => ({ transactionId: '' })),
  empty_customer_id: invalid(() => ({ customerId: '' })),
  empty_terminal_id: invalid(() => ({ terminalId: '' })),
  over_long_customer_id: invalid(() => ({ customerId: overLongId })),
  over_long_terminal_id: invalid(() => ({ terminalId: overLongId })),
  far_future: invalid(() => ({ eventTime: farFutureMs })),
  before_1970: invalid(() => ({ eventTime: -1 })),
} as const satisfies Readonly<Record<string, PoisonKind>>

export type PoisonName = keyof typeof poisonKinds

const kinds = Object.entries(poisonKinds) as [PoisonName, PoisonKind][]
/** Each kind as often as its weight, so that one draw picks a kind. */
const lots: readonly PoisonName[] = kinds.flatMap(([name, { weight }]) =>
  Array.from({ length: weight }, () => name),
)

export function drawPoison(context: PoisonContext): { name: PoisonName; value: Buffer | null } {
  const name = context.random.pick(lots)
  return { name, value: poisonKinds[name].make(context) }
}

/** Well-formed Avro that breaks a rule. */
function invalid(change: (transaction: Transaction) => Partial<Transaction>): PoisonKind {
  return {
    weight: 2,
    make: ({ transaction, wire }) =>
      wire.encodeTransaction({ ...transaction, ...change(transaction) }),
  }
}
