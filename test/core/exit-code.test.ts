// One place decides what a program ends with.

import { Command, InvalidArgumentError } from 'commander'
import { expect, it } from 'vitest'
import { WeirError } from '../../services/core/errors.ts'
import { exitCodeOf, isTold, throwOnExit } from '../../services/core/exit-code.ts'

/** What the program throws for these words; silent. */
function thrownFor(...words: string[]): unknown {
  const program = new Command('p').configureOutput({ writeErr: () => {}, writeOut: () => {} })
  program.version('1')
  const inner = program.command('group').configureOutput({ writeErr: () => {}, writeOut: () => {} })
  const refuse = (): never => {
    throw new InvalidArgumentError('no')
  }
  inner
    .command('act')
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .requiredOption('--why <text>', 'why')
    .option('--at <time>', 'when', refuse)
    .action(() => {})
  throwOnExit(program)
  try {
    program.parse(words, { from: 'user' })
  } catch (error) {
    return error
  }
  return null
}

it.each([
  [[], 2],
  [['--nope'], 2],
  [['nope'], 2],
  [['group'], 2],
  [['group', 'act'], 2],
  [['group', 'act', '--why', 'x', '--at', '7'], 2],
  [['group', 'act', '--help'], 0],
  [['--version'], 0],
])('exit code - of the flags %j is %i, and commander has told it', (words, code) => {
  const error = thrownFor(...words)
  expect(isTold(error)).toBe(true)
  expect(exitCodeOf(error)).toBe(code)
})

it('exit code - nothing is thrown where the flags are right', () => {
  expect(thrownFor('group', 'act', '--why', 'x')).toBeNull()
})

it.each([
  ['WEIR_SETTINGS_INVALID', 2],
  ['WEIR_KAFKA_OFFSETS_GONE', 2],
  ['WEIR_KAFKA_AWAY', 1],
  ['WEIR_LANE_STUCK', 1],
] as const)("exit code - of %s is the table's", (code, expected) => {
  const error = new WeirError(code, 'x')
  expect(exitCodeOf(error)).toBe(expected)
  expect(isTold(error)).toBe(false)
})

it('exit code - of what nobody expected is 1: a restart may cure it', () => {
  expect(exitCodeOf(new TypeError('x'))).toBe(1)
  expect(exitCodeOf(undefined)).toBe(1)
})
