// Remembers which broker coordinates a transaction or a group, per producer. In: a look-up. Out:
// the broker, asked for with FindCoordinator once instead of four times per transaction (0.8-1.4 ms
// of its 4-6 ms).
//
// Invariant: a coordinator that may have moved is never used again. What is remembered is dropped
// when an operation fails (the broker that moved answers NOT_COORDINATOR, a dead one closes the
// connection; only CONCURRENT_TRANSACTIONS proves that the right one was asked), and a second
// look-up within one operation, which kafkajs makes only after a failure, asks the broker. Only the
// node's id is remembered: kafkajs still finds, and if need be reconnects, the broker.

type Sought = { readonly groupId: string; readonly coordinatorType?: number }
type Coordinator = { readonly nodeId: string | number }

/** The part of kafkajs' Cluster that looks coordinators up. */
export type Cluster = {
  findGroupCoordinator(sought: Sought): Promise<Coordinator>
  findBroker(sought: { nodeId: string | number }): Promise<Coordinator>
}

export const isConcurrentTransactions = (cause: unknown): boolean =>
  (cause as { type?: unknown } | null)?.type === 'CONCURRENT_TRANSACTIONS'

export class CoordinatorMemory {
  private readonly cluster: Cluster
  private readonly nodeIds = new Map<string, string | number>()
  /** What the running operation has looked up already. */
  private sought = new Set<string>()

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** Runs one operation of the producer; they don't overlap in Weir. */
  async during<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.sought = new Set()
    try {
      return await operation()
    } catch (cause) {
      if (!isConcurrentTransactions(cause)) this.nodeIds.clear()
      throw cause
    }
  }

  async find(sought: Sought): Promise<Coordinator> {
    const key = `${sought.coordinatorType ?? 0} ${sought.groupId}`
    const remembered = this.sought.has(key) ? undefined : await this.findRemembered(key)
    this.sought.add(key)
    if (remembered !== undefined) return remembered
    const coordinator = await this.cluster.findGroupCoordinator(sought)
    this.nodeIds.set(key, coordinator.nodeId)
    return coordinator
  }

  /** Nothing where none is remembered, or it can't be reached; the broker is then asked anew. */
  private async findRemembered(key: string): Promise<Coordinator | undefined> {
    const nodeId = this.nodeIds.get(key)
    if (nodeId === undefined) return undefined
    try {
      return await this.cluster.findBroker({ nodeId })
    } catch {
      this.nodeIds.delete(key)
      return undefined
    }
  }
}
