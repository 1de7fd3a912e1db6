// Fields of a mapping as expressions see them.
//
// In: fields and types of the mapping. Out: the same in the words of services/expressions: texts,
// numbers and flags. Refuses nothing.

import type { FieldDefinition, FieldType } from '../core/input-mapping.ts'
import type { ExpressionField, ExpressionType } from '../expressions/compile-expression.ts'

const types: Readonly<Record<FieldType['kind'], ExpressionField['type']>> = {
  text: 'text',
  currency: 'text',
  flag: 'flag',
  number: 'number',
  integer: 'integer',
  money: 'integer',
  time: 'integer',
}

export const asExpressionField = ({
  name,
  type,
  isRequired,
}: FieldDefinition): ExpressionField => ({
  name,
  type: types[type.kind],
  isOptional: !isRequired,
})

/** What an expression has to give that a field of this type is made of. */
export function resultOf({ kind }: FieldType): ExpressionType {
  const type = types[kind]
  return type === 'integer' ? 'number' : type
}
