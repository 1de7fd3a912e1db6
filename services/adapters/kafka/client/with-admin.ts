// One question to the brokers: an admin client that is there as long as it is asked.
//
// In: a Kafka client, what to ask. Out: the answer. Thrown: what askBroker makes of kafkajs'
// errors. Invariant: nothing stays connected, whatever the answer.

import { askBroker } from './broker-answer.ts'
import type { Admin, Kafka } from './kafka-client.ts'

export async function withAdmin<T>(kafka: Kafka, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  try {
    return await askBroker(async () => {
      await admin.connect()
      return ask(admin)
    })
  } finally {
    // It has answered, or said why not; whether it hangs up politely is nobody's trouble.
    await admin.disconnect().catch(() => undefined)
  }
}

/**
 * Of a throw-away group: nothing was committed under its name, so it may as well not be allowed.
 */
export async function deleteGroup(kafka: Kafka, groupId: string): Promise<void> {
  await withAdmin(kafka, (admin) => admin.deleteGroups([groupId])).catch(() => undefined)
}
