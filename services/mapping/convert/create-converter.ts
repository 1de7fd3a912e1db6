// From a field's type to the function that converts its raw values.
//
// In: a field's type, once, at start. Out: a function called per event, with words for what it
// takes; null = absent, undefined = of the wrong kind or impossible. Refused at start (thrown): a
// zone that Intl does not know, a pattern that `checkPattern` finds fault with. Invariant: all
// branching on the type is done here, none of it per event.

import type { FieldType } from '../../core/input-mapping.ts'
import type { Convert, Converter } from './convert.ts'
import { convertCurrency } from './currency.ts'
import { createFlagConvert } from './flag.ts'
import { createMoneyConvert } from './money.ts'
import { convertInteger, convertNumber } from './number.ts'
import { convertText } from './text.ts'
import { createTimeConvert, timeExpectation } from './time/time.ts'

export type { Convert, Converter } from './convert.ts'
export { looksLike } from './looks-like.ts'

export function createConverter(type: FieldType): Converter {
  return { convert: createConvert(type), expectation: expectationOf(type) }
}

function createConvert(type: FieldType): Convert {
  switch (type.kind) {
    case 'text':
      return convertText
    case 'integer':
      return convertInteger
    case 'number':
      return convertNumber
    case 'flag':
      return createFlagConvert(type)
    case 'time':
      return createTimeConvert(type)
    case 'money':
      return createMoneyConvert(type)
    case 'currency':
      return convertCurrency
  }
}

function expectationOf(type: FieldType): string {
  switch (type.kind) {
    case 'text':
      return 'text, or a whole number with all its digits'
    case 'integer':
      return 'a whole number'
    case 'number':
      return 'a number'
    case 'flag':
      return 'one of the words for true and false'
    case 'time':
      return timeExpectation(type)
    case 'money':
      return moneyExpectation(type)
    case 'currency':
      return 'an ISO 4217 code'
  }
}

function moneyExpectation({
  unit,
  canBeNegative,
}: Extract<FieldType, { readonly kind: 'money' }>): string {
  const amount =
    unit === 'minor'
      ? 'a whole number of minor units'
      : 'an amount such as 12.34, with no more decimals than its currency has'
  return canBeNegative ? amount : `${amount}, not negative`
}
