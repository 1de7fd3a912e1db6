/**
 * Live traffic into Kafka, in open loop: the demo's and the latency bench's source.
 *
 * In: brokers, topics, schema ids, how fast for how long, and the knobs. Out: a running schedule.
 * Refused: what planTraffic and the sink refuse, before anything is sent.
 * Invariant: the counts that `done` resolves to are those of acknowledged messages.
 */
import { generateMessages } from './disturbances.ts'
import { connectKafkaSink, type KafkaSink, type KafkaTarget } from './kafka-sink.ts'
import { type Progress, type Schedule, type ScheduleOptions, startSchedule } from './schedule.ts'
import { generateTimeline } from './timeline.ts'
import { planTraffic, type TrafficWish } from './traffic-plan.ts'
import { createWire, type SchemaIds } from './wire.ts'

export interface OpenLoopOptions
  extends KafkaTarget,
    TrafficWish,
    Pick<ScheduleOptions, 'tickMs' | 'onSend'> {
  readonly schemaIds: SchemaIds
  /** In place of connectKafkaSink. */
  readonly connect?: (target: KafkaTarget) => Promise<KafkaSink>
}

export async function startOpenLoop(options: OpenLoopOptions): Promise<Schedule> {
  const { generator, dueAfterMs } = planTraffic(options, Date.now())
  const { connect = connectKafkaSink } = options
  const sink = await connect(options)
  const messages = generateMessages({
    timeline: generateTimeline(withoutUnsentLabels(options, generator)),
    wire: createWire(options.schemaIds),
    disturbances: { seed: generator.seed, ...options.disturbances },
  })
  const { tickMs = 5, onSend = () => {} } = options
  const schedule = startSchedule({ messages, dueAfterMs, sink, tickMs, onSend })
  const done: Promise<Progress> = schedule.done.finally(() => sink.close())
  return {
    done,
    stop: () => schedule.stop().then(() => done),
    progress: () => schedule.progress(),
  }
}

export function withoutUnsentLabels<Options extends object>(
  { labelsTopic }: KafkaTarget,
  options: Options,
): Options {
  return labelsTopic === null ? { ...options, fraudLabelShare: 0, genuineLabelShare: 0 } : options
}
