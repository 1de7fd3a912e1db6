/**
 * kafkajs, loaded when the first connection is wanted and not before.
 *
 * Whoever replaces parts of it for speed can do so first; importing the generator alone decides
 * nothing. Its queue of requests sets a timer after every answer, with "never throttled" (-1) minus
 * now as the delay, and Node warns of a negative one: without waiting requests there is nothing to
 * set.
 */
import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'

interface RequestQueue {
  readonly pending: readonly object[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

const require = createRequire(import.meta.url)
const quieted = new WeakSet<object>()

export function loadKafkajs(): typeof Kafkajs {
  const kafkajs = require('kafkajs') as typeof Kafkajs
  const queue = require('kafkajs/src/network/requestQueue/index.js') as new () => RequestQueue
  if (!quieted.has(queue)) quietTimers(queue.prototype)
  quieted.add(queue)
  return kafkajs
}

function quietTimers(prototype: RequestQueue): void {
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function quietly(this: RequestQueue) {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
  }
}
