/**
 * A history into a topic as fast as possible: the drain bench's backlog.
 *
 * In: brokers, topics, schema ids, the knobs. Out: the counts, once every message is acknowledged.
 * Refused: what connectKafkaSink and the options refuse; a failed send ends it with an error.
 * Invariant: each partition holds its messages in event-time order (but for late ones); memory
 * holds one batch and one day of history.
 */
import type { Disturbances } from './disturbances.ts'
import { generateMessages } from './disturbances.ts'
import { connectKafkaSink, type KafkaTarget } from './kafka-sink.ts'
import { withoutUnsentLabels } from './open-loop.ts'
import { benchPreset, type GeneratorOptions } from './options.ts'
import { type Progress, startSchedule } from './schedule.ts'
import { generateTimeline } from './timeline.ts'
import { createWire, type SchemaIds } from './wire.ts'

interface PrefillOptions extends KafkaTarget {
  readonly schemaIds: SchemaIds
  /** On top of the bench's preset: 300,000 transactions of 5,000 customers in 31 days. */
  readonly generator?: Partial<GeneratorOptions>
  readonly disturbances?: Partial<Disturbances>
}

/** Everything is due at once: the schedule then sends whole batches, one after the other. */
export async function prefillTopic(options: PrefillOptions): Promise<Progress> {
  const generator = { ...benchPreset, count: 300_000, ...options.generator }
  const sink = await connectKafkaSink(options)
  try {
    const messages = generateMessages({
      timeline: generateTimeline(withoutUnsentLabels(options, generator)),
      wire: createWire(options.schemaIds),
      disturbances: { seed: generator.seed, ...options.disturbances },
    })
    return await startSchedule({ messages, dueAfterMs: () => 0, sink, tickMs: 0 }).done
  } finally {
    await sink.close()
  }
}
