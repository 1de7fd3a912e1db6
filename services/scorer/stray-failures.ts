// What nobody handled: a rejection without a catch, an exception out of an event.
//
// In: who is told. Out: nothing; the first of them is told, with the chain of its causes, the rest
// is most often its consequence. Invariant: a process that has lost a promise ends, but it says why
// and lets what is in flight commit: see main.ts.

export function onStrayFailure(tell: (error: Error) => void): void {
  let isTold = false
  const once = (reason: unknown): void => {
    if (isTold) return
    isTold = true
    tell(describeStray(reason))
  }
  process.on('unhandledRejection', once)
  process.on('uncaughtException', once)
}

function describeStray(reason: unknown): Error {
  const words: string[] = []
  let cause: unknown = reason
  while (cause instanceof Error && words.length < 5) {
    words.push(`${cause.name}: ${cause.message}`)
    cause = cause.cause
  }
  const error = new Error(words.length === 0 ? String(reason) : words.join(', caused by '))
  if (reason instanceof Error && reason.stack !== undefined) error.stack = reason.stack
  return error
}
