// What reports ask of a transaction whatever its fields are called: how much, of what currency, of
// whom, and in which groups it may be counted.
//
// In: the pipeline's input and entities. Out: functions over a transaction. Refuses nothing; a
// pipeline without money has amounts of 0. Invariant: no field is known here by its name.

import { currencyFieldOf, moneyFieldOf } from '../core/input-mapping.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { planSubject, type ReadKey } from './entity-key.ts'
import type { Transaction } from './records.ts'

export type EventRoles = {
  /** Minor units. */
  readonly amountOf: (transaction: Transaction) => number
  /** ISO 4217; null where amounts have none. */
  readonly currencyOf: (transaction: Transaction) => string | null
  readonly subjectOf: ReadKey
  /** Fields by whose values transactions are grouped. */
  readonly segments: readonly string[]
}

const segmentsMax = 3

export function planRoles({
  input,
  entities,
}: Pick<PipelineDefinition, 'input' | 'entities'>): EventRoles {
  const money = moneyFieldOf(input.transactions)
  const currencyField = currencyFieldOf(input.transactions)
  const isOfOne = money?.type.kind === 'money' && 'code' in money.type.currency
  const code = isOfOne ? (money.type.currency as { readonly code: string }).code : null
  const keys = new Set(['transactionId', ...entities.flatMap(({ key }) => key)])
  const texts = input.transactions.fields.filter(
    ({ name, type }) => type.kind === 'text' && !keys.has(name),
  )
  return {
    amountOf: (transaction) => (money === null ? 0 : ((transaction[money.name] as number) ?? 0)),
    currencyOf:
      currencyField === null
        ? () => code
        : (transaction) => transaction[currencyField] as string | null,
    subjectOf: planSubject(entities),
    segments: texts.slice(0, segmentsMax).map(({ name }) => name),
  }
}
