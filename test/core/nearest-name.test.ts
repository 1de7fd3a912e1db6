// "Did you mean": the nearest known name, or none where nothing is near.

import { expect, test } from 'vitest'
import { editDistance, nearestName } from '../../services/core/nearest-name.ts'

test.each([
  ['', '', 0],
  ['', 'abc', 3],
  ['abc', 'abc', 0],
  ['kitten', 'sitting', 3],
  ['polciy', 'policy', 1],
  ['a', 'b', 1],
])('nearest name - %j and %j are %i edits apart, both ways', (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance)
  expect(editDistance(to, from)).toBe(distance)
})

test('nearest name - finds what was meant, whatever the case of letters', () => {
  const known = ['transactions', 'labels', 'scored', 'late']
  expect(nearestName('lables', known)).toBe('labels')
  expect(nearestName('Transaction', known)).toBe('transactions')
  expect(nearestName('customers', known)).toBeNull()
  expect(nearestName('x', known)).toBeNull()
})

test('nearest name - never suggests the name itself', () => {
  expect(nearestName('late', ['late'])).toBeNull()
})
