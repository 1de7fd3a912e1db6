// The fields that a pipeline file may speak of, reduced to what its rules ask about.
//
// In: the fields of a mapping. Out: per field its kind and whether it may be absent; the fault of a
// field that is not there, with the nearest one that is. Refuses nothing itself.

import type { FieldDefinition, FieldType } from '../../core/input-mapping.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { type Fault, quote, suggest } from './pipeline-fault.ts'

type KnownField = {
  readonly kind: FieldType['kind']
  readonly isOptional: boolean
}

export type KnownFields = ReadonlyMap<string, KnownField>

/** Whole numbers, whose sums are exact. */
export const isWhole = ({ kind }: KnownField): boolean => kind === 'integer' || kind === 'money'

/** Texts, or what is one for whoever compares. */
export const isText = ({ kind }: KnownField): boolean => kind === 'text' || kind === 'currency'

export const knownFields = (fields: readonly FieldDefinition[]): KnownFields =>
  new Map(
    fields.map(({ name, type, isRequired, absent }) => {
      return [name, { kind: type.kind, isOptional: !isRequired && absent === null }]
    }),
  )

/** Whether the field exists; rules about types pass over fields that do not. */
export function checkField(
  field: string,
  fields: KnownFields,
): Pick<Fault, 'found' | 'expected' | 'hint'> | null {
  if (fields.has(field)) return null
  const names = [...fields.keys()]
  return {
    found: `unknown field ${quote(field)}`,
    expected: `a field of the input (${names.join(', ')})`,
    ...suggest(nearestName(field, names)),
  }
}
