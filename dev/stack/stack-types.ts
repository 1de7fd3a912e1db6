// What every way of bringing up the stack gives.
//
// In and out: types only. The ways (endpoints, containers, native) know these and not each other;
// stack.ts chooses among them. Invariant: whoever holds a Stack need not know which way it came up,
// except for what a way cannot do: given endpoints have no servers to kill and no folder of logs.

export type StackKind = 'endpoints' | 'containers' | 'native'

/** What a test may do to one server of a stack that was started for it. */
export type ServerControl = {
  /** The process to measure or to signal; undefined in a container. */
  pid(): number | undefined
  /** SIGSTOP and SIGCONT make a server hang and go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): Promise<void>
  /** Ends it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data; resolves when it answers. */
  start(): Promise<void>
}

export const serverNames = ['kafka', 'redis', 'registry'] as const

export type ServerName = (typeof serverNames)[number]

export type Stack = {
  readonly kind: StackKind
  /** host:port of each broker. */
  readonly kafkaBrokers: readonly string[]
  readonly redisUrl: string
  /** Base of the Confluent-compatible API, without a slash at the end. */
  readonly registryUrl: string
  /** Where the logs are; undefined when the endpoints were given. */
  readonly folder: string | undefined
  /** undefined when the endpoints were given. */
  readonly servers: Readonly<Record<ServerName, ServerControl>> | undefined
  stop(): Promise<void>
}
