// What was opened, closed again in reverse order, each once, whatever the others do.

export type Closers = {
  readonly add: (close: () => Promise<void>) => void
  readonly closeAll: () => Promise<void>
}

export function createClosers(): Closers {
  const open: (() => Promise<void>)[] = []
  return {
    add: (close) => {
      open.push(close)
    },
    closeAll: async () => {
      for (let close = open.pop(); close !== undefined; close = open.pop()) {
        await close().catch(() => undefined)
      }
    },
  }
}
