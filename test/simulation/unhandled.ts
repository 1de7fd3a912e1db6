// Rejections that nobody handles, while a world runs: told to the world instead of to the test
// runner.

export function catchUnhandled(tell: (reason: unknown) => void) {
  const before = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', tell)
  return {
    stop: (): void => {
      process.removeAllListeners('unhandledRejection')
      for (const listener of before) process.on('unhandledRejection', listener)
    },
  }
}
