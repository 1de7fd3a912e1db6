// What the adapter asks of Redis, whether that is one server or a cluster.

export type RedisClient = {
  /** Loads a library on every master that has none of its name; whoever has it keeps it. */
  readonly loadFunctions: (code: string) => Promise<void>
  /** Calls a function; keys must lie in one slot. Bulk replies are Buffers. */
  readonly call: (
    name: string,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
  ) => Promise<unknown>
  /** One plain command; the first argument, if there is one, is its only key. */
  readonly command: (name: string, args: readonly string[]) => Promise<unknown>
  /** The keys that match, of all masters, some at a time; each at least once. */
  readonly scan: (match: string) => AsyncIterable<readonly string[]>
  readonly disconnect: () => void
}
