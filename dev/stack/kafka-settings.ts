// The broker settings that make one node behave like a small cluster, as a table.
//
// Used as they stand by the native broker; docker-compose.yml repeats them as KAFKA_* variables,
// and a test compares the two, so that a test meets the same broker whichever way the stack came
// up.

export const kafkaSettings = {
  // One node: everything internal has one copy, in few partitions, because each costs start time.
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  // Topics are made by `weir topics apply` only: a misspelt name must be an error.
  'auto.create.topics.enable': 'false',
  // A group's first member need not wait for others, and a killed one may be missed quickly.
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  // A killed producer's open transaction is ended when its timeout has passed, not up to 10 s
  // later.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
  // The default takes 128 MB of heap for a cleaner that has little to clean here.
  'log.cleaner.dedupe.buffer.size': '8388608',
} as const

/**
 * `group.min.session.timeout.ms` -> `KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS`, as the images want it.
 */
export function containerVariable(setting: string): string {
  return `KAFKA_${setting.toUpperCase().replaceAll('.', '_')}`
}
