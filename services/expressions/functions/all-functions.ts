// All functions of expressions, in the order of the reference page.
//
// In: nothing. Out: the rows, the special forms whose types follow from their arguments, and a
// function by its name. Invariant: names are unique.

import type { ExpressionFunction } from './expression-function.ts'
import { numberFunctions } from './number-functions.ts'
import { placeFunctions } from './place-functions.ts'
import { textFunctions } from './text-functions.ts'
import { timeFunctions } from './time-functions.ts'

export const expressionFunctions: readonly ExpressionFunction[] = [
  ...textFunctions,
  ...numberFunctions,
  ...timeFunctions,
  ...placeFunctions,
]

/** Built by `special-calls.ts`: signature and sentence for the reference page. */
export const specialForms = [
  {
    name: 'has',
    signature: 'has(field): flag',
    sentence: 'Whether the value is there; the same as `field != null`.',
  },
  {
    name: 'coalesce',
    signature: 'coalesce(value, ...values): the type of all',
    sentence: 'The first value that is there.',
  },
  {
    name: 'lookup',
    signature: 'lookup(table, key, default?): the type of the table',
    sentence: 'What a table of the pipeline file has for a key; without it the default, or absent.',
  },
] as const

export type SpecialName = (typeof specialForms)[number]['name']

const byName: ReadonlyMap<string, ExpressionFunction> = new Map(
  expressionFunctions.map((definition) => [definition.name, definition]),
)

export const findFunction = (name: string): ExpressionFunction | undefined => byName.get(name)

export const functionNames: readonly string[] = [
  ...byName.keys(),
  ...specialForms.map(({ name }) => name),
]
