// The process's logger: pino, one JSON object a line, secrets taken out before anything is written.
//
// In: level, the entry point's name and the instance. Out: a pino logger whose lines carry `name`,
// `instance`, the level by its name and ISO time. Refuses an unknown level (pino throws). Where an
// error is logged as `err`, its code stands in `err.code`.
// Invariant: every line passes redact.ts, message and child bindings included.

import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from '../../core/settings.ts'
import { redactLine } from './redact.ts'

type LoggerOptions = {
  readonly level: LogLevel
  readonly name: string
  readonly instance: string
  /** Standard error unless told, so that standard output stays free for a command's result. */
  readonly output?: DestinationStream
}

/** Deep enough for the effective configuration; what is deeper is shown as "[Object]". */
const DEPTH_MAX = 10
const CAUSES_MAX = 5

export function createLogger(options: LoggerOptions): Logger {
  const { level, name, instance, output = destination({ dest: 2, sync: true }) } = options
  return pino(
    {
      level,
      name,
      base: { instance },
      depthLimit: DEPTH_MAX,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error, 0) },
      hooks: { streamWrite: redactLine },
    },
    output,
  )
}

/** The parts of an error that help; drivers hang whole requests and clients on the others. */
function describeError(error: unknown, depth: number): unknown {
  if (!(error instanceof Error) || depth > CAUSES_MAX) return String(error)
  return {
    type: error.name,
    ...('code' in error ? { code: error.code } : {}),
    message: error.message,
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause, depth + 1) }),
  }
}
