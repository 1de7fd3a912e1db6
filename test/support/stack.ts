// A test's way to the shared stack.
//
// In: nothing. Out: the endpoints of the run's one stack, started by the first test that asks (so
// ask in beforeAll: its deadline allows for downloads). The servers are shared with tests that run
// at the same time: every topic, group, transactional id and key prefix takes a uniqueName. A test
// that kills or restarts servers starts a stack of its own with startStack.

import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import type { Stack } from '../../dev/stack/stack.ts'

export type TestStack = Pick<Stack, 'kind' | 'kafkaBrokers' | 'redisUrl' | 'registryUrl'>

export async function testStack(): Promise<TestStack> {
  const response = await fetch(inject('weirStackAddress'))
  if (!response.ok) throw new Error(`the test stack is not there: ${await response.text()}`)
  return (await response.json()) as TestStack
}

/**
 * `purpose-9f86d081884c`: never the same twice, legal in names of topics, groups, keys and
 * subjects.
 */
export function uniqueName(purpose: string): string {
  return `${purpose}-${randomBytes(6).toString('hex')}`
}
