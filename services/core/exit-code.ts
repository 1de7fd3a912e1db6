// What a program ends with: 0 done, 1 trouble that a restart may cure, 2 what a restart does not
// help.
//
// In: what was thrown. Out: the code, and whether it has been told already. It is a column of the
// table of errors; of flags that cannot be read (commander) it is 2, and 0 where help or the
// version was asked for. Invariant: no other module decides it, in any of the programs.

import { errorTable, WeirError } from './errors.ts'

type ExitCode = 0 | 1 | 2

/** As commander's command: not imported, because core knows no package. */
type ParsedCommand = {
  readonly commands: readonly ParsedCommand[]
  exitOverride(): unknown
}

/**
 * Makes a program throw what it would exit with, so that exitCodeOf decides; after all is added.
 */
export function throwOnExit(program: ParsedCommand): void {
  program.exitOverride()
  for (const command of program.commands) throwOnExit(command)
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** commander has written its message, or the help, before it throws. */
export const isTold = (error: unknown): boolean => codeOf(error).startsWith('commander.')

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof WeirError) return errorTable[error.code].exitCode
  if (!isTold(error)) return 1
  return (error as { exitCode?: number }).exitCode === 0 ? 0 : 2
}
