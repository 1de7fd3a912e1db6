// A sink that outlasts its producer: what one could not send is sent once more by the next.
//
// In: how to connect a sink. Out: a sink. While partitions change their leaders kafkajs may give
// up, and never says which messages arrived; a real producer then sends them again. Refused: a
// batch that `attempts` producers failed on, with the last one's error. Invariants: nothing is left
// out, order is kept; messages may stand in the topics twice, as they do after such a producer: the
// books are counted by reading.

import type { KafkaSink } from '../generator/kafka-sink.ts'
import type { DueMessage } from '../generator/schedule.ts'

const attemptsMax = 5

export async function openLastingSink(
  connect: () => Promise<KafkaSink>,
  attempts = attemptsMax,
): Promise<KafkaSink> {
  let sink: KafkaSink | null = await connect()
  const close = async (): Promise<void> => {
    const open = sink
    sink = null
    await open?.close()
  }
  const sendOnce = async (messages: readonly DueMessage[]): Promise<void> => {
    sink ??= await connect()
    await sink.send(messages)
  }
  const send = async (messages: readonly DueMessage[]): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await sendOnce(messages)
      } catch (error) {
        await close().catch(() => undefined)
        if (attempt === attempts) throw error
      }
    }
  }
  return { send, close }
}
