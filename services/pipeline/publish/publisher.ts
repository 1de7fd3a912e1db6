// The publisher port: each lane's records and its new offset, as one atomic unit per lane.
//
// Implemented by adapters/kafka (one transaction per lane and batch), adapters/file (replay) and,
// in tests, by memory. A lane's deliveries are made in the order of the calls; the lanes of one
// call side by side. A lane that could not be delivered, or whose outcome is unknown, is reported
// as in doubt and never guessed: its events will be read again from what is really committed.

import type { TopicNames } from '../../core/pipeline-definition.ts'

export type OutputTopic = keyof Pick<
  TopicNames,
  'scored' | 'alerts' | 'driftSamples' | 'rejected' | 'late'
>
export const outputTopics: readonly OutputTopic[] = [
  'scored',
  'alerts',
  'driftSamples',
  'rejected',
  'late',
]

export type OutputRecord = {
  readonly key: string | Buffer | null
  readonly value: Buffer
}

export type LaneDelivery = {
  readonly laneId: number
  readonly records: Readonly<Record<OutputTopic, readonly OutputRecord[]>>
  /** What must be committed before this delivery; anything else would leave a gap. */
  readonly fromOffset: number
  /** Offset of the lane's next event: what is committed. */
  readonly nextOffset: number
  /** The lane's own small state, committed with the offset. */
  readonly metadata: string
}

/**
 * `too_large`: the broker refuses a record batch of the delivery, now and whenever it is tried
 * again; nothing of it was committed. Smaller deliveries tell which event it is.
 */
export type DeliveryOutcome = 'committed' | 'in_doubt' | 'too_large'

export type Publisher = {
  /** One outcome per delivery, in order; never rejects for trouble of a single lane. */
  readonly deliver: (deliveries: readonly LaneDelivery[]) => Promise<readonly DeliveryOutcome[]>
}
