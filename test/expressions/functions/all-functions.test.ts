// The rows of all functions: what a reference page and the checker rely on.

import { expect, test } from 'vitest'
import {
  expressionFunctions,
  findFunction,
  functionNames,
  specialForms,
} from '../../../services/expressions/functions/all-functions.ts'
import { signatureOf } from '../../../services/expressions/functions/expression-function.ts'

test('all functions - each has a name of its own and a sentence', () => {
  expect(new Set(functionNames).size).toBe(functionNames.length)
  expect(functionNames.length).toBe(expressionFunctions.length + specialForms.length)
  for (const { sentence } of [...expressionFunctions, ...specialForms]) {
    expect(sentence).toMatch(/^[A-Za-z].*\.$/)
  }
})

test('all functions - parameters that may be left out stand last, and one repeats at most', () => {
  for (const { name, parameters } of expressionFunctions) {
    const kinds = Object.values(parameters).map((type) => type.replace(/^\w+/, ''))
    expect(kinds.join(','), name).toMatch(/^(?:,?(?!\?))*(?:,?\?)*$|^,*\.{3}$/)
  }
})

test('all functions - a signature shows what may be left out and what repeats', () => {
  expect(signatureOf(findFunction('hour')!)).toBe('hour(time: number, zone?: text): number')
  expect(signatureOf(findFunction('max')!)).toBe('max(...numbers: number): number')
})
