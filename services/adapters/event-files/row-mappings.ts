// Which events the rows of a file are: transactions, labels whole or bare, what labels repeat.
//
// In: the input section of the pipeline file. Out: a RowMapping for each. Refuses nothing.
// Invariant: what a label repeats of its transaction is read by the transaction's own mapping.

import type { FieldDefinition } from '../../core/input-mapping.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { EventFields } from '../../mapping/assemble-event.ts'
import type { Label, Transaction } from '../../pipeline/records.ts'
import type { RowMapping } from './event-block.ts'

type Input = Pick<PipelineDefinition, 'input' | 'entities'>

/** What a label repeats of its transaction: id, time, and the fields of entities' keys. */
export type TransactionKeys = Transaction
/** A label without what it repeats of its transaction. */
export type BareLabel = Pick<Label, 'transactionId' | 'isFraud' | 'labelTime'> & EventFields

const asIs = <T>(fields: EventFields): T => fields as T

export const transactionRows = ({ input }: Input): RowMapping<Transaction> => ({
  ...input.transactions,
  time: 'eventTime',
  delayMs: 0,
  toEvent: asIs,
})

export const keyRows = (input: Input): RowMapping<TransactionKeys> => ({
  ...transactionRows(input),
  fields: keyFields(input),
  where: null,
})

/** Labels that bring all that they need. */
export const labelRows = ({ input }: Input): RowMapping<Label> => ({
  ...input.labels,
  time: 'labelTime',
  delayMs: 0,
  toEvent: asIs,
})

/** Labels that are an id and a verdict: the rest is looked up. */
export const bareLabelRows = ({ input, entities }: Input): RowMapping<BareLabel> => {
  const repeated = new Set(['eventTime', ...entities.flatMap(({ key }) => key)])
  return {
    ...input.labels,
    fields: input.labels.fields.filter(({ name }) => !repeated.has(name)),
    time: 'labelTime',
    delayMs: 0,
    toEvent: asIs,
  }
}

/** Verdicts that stand in the transactions' own rows, and become known `delay` after the event. */
export function labelRowsBeside(definition: Input): RowMapping<Label> {
  const { labels } = definition.input
  const delayMs = labels.delayMs ?? 0
  const own = labels.fields.filter(({ name }) => name === 'isFraud' || name === 'source')
  return {
    fields: [...keyFields(definition), ...own],
    csv: definition.input.transactions.csv,
    isDeclared: labels.isDeclared,
    where: null,
    time: 'eventTime',
    delayMs,
    toEvent: (fields) =>
      ({ ...fields, labelTime: (fields.eventTime as number) + delayMs }) as unknown as Label,
  }
}

function keyFields({ input, entities }: Input): readonly FieldDefinition[] {
  const wanted = new Set(['transactionId', 'eventTime', ...entities.flatMap(({ key }) => key)])
  const { fields } = input.transactions
  for (const { name, source, type } of fields) {
    if (!wanted.has(name)) continue
    if (source.from === 'expression') return fields
    if (source.from === 'hash') for (const field of source.fields) wanted.add(field)
    if (type.kind === 'money' && 'field' in type.currency) wanted.add(type.currency.field)
  }
  return fields.filter(({ name }) => wanted.has(name))
}
