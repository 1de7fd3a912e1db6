// What a function of expressions is: a row of data with the code that computes it.
//
// In: nothing; types, and the line that shows a function to its reader. Invariants: a function is
// pure, knows neither clock nor place, and never throws for values of its parameters' types; a
// number that is not finite is taken for absent by whoever calls it.

import type { FieldValue } from '../../core/input-mapping.ts'
import type { ExpressionType } from '../expression-types.ts'

type Base = ExpressionType | 'any'

/** `?`: may be left out, as may all behind it. `...`: the last one, any number of times. */
type ParameterType = Base | `${Base}?` | `${Base}...`

export type ExpressionFunction = {
  readonly name: string
  /** By name, in their order. */
  readonly parameters: Readonly<Record<string, ParameterType>>
  readonly result: ExpressionType
  /** For the reference page: what it gives. */
  readonly sentence: string
  /** Called with as many values as were written, none of them null. */
  readonly apply: (...values: never[]) => FieldValue
  /** The result where an argument is absent; null where nothing is said. */
  readonly whenAbsent?: FieldValue
  /** Why a value that is written in the expression itself makes no sense; null where it does. */
  readonly refuse?: (parameter: string, value: FieldValue) => string | null
}

/** `hour(time: number, zone?: text): number`. */
export function signatureOf({ name, parameters, result }: ExpressionFunction): string {
  const shown = Object.entries(parameters).map(([parameter, type]) => {
    if (type.endsWith('...')) return `...${parameter}: ${type.slice(0, -3)}`
    if (type.endsWith('?')) return `${parameter}?: ${type.slice(0, -1)}`
    return `${parameter}: ${type}`
  })
  return `${name}(${shown.join(', ')}): ${result}`
}
