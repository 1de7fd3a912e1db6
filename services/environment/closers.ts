// What was opened, closed again in reverse order, each once, whatever the others do.
//
// A close that fails is told and does not keep the others open.

type Closers = {
  readonly add: (close: () => Promise<void>) => void
  readonly closeAll: () => Promise<void>
}

export function createClosers(tell: (error: unknown) => void): Closers {
  const open: (() => Promise<void>)[] = []
  return {
    add: (close) => {
      open.push(close)
    },
    closeAll: async () => {
      for (let close = open.pop(); close !== undefined; close = open.pop()) {
        await close().catch(tell)
      }
    },
  }
}
