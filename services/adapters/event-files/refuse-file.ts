// The fault of a file that cannot be read as what its name says.
//
// In: the path and what a reader met. Out: a WeirError, WEIR_FILE_INVALID, that names the path;
// faults that are WeirErrors already pass as they are. Invariant: the text has no value of an
// event, as long as the cause's has none.

import { WeirError } from '../../core/errors.ts'

/** @param expected what the file should have been; said behind the cause. */
export function refuseFile(path: string, cause: unknown, expected?: string): WeirError {
  if (cause instanceof WeirError) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  const detail = expected === undefined ? reason : `${reason} (expected ${expected})`
  return new WeirError('WEIR_FILE_INVALID', `${path}: ${detail}`, { cause })
}
