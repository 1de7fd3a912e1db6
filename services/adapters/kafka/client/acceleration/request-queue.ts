// Keeps kafkajs from setting a timer after every answer. In: its queue of requests. Out: the same,
// which sets its timer only while something waits or the broker throttles.
//
// The stock queue computes the delay from "never throttled" (-1), gets a large negative number, and
// Node warns about it on standard error. Without waiting requests that timer has nothing to do.

import type { LoadStock } from './stock-modules.ts'

type RequestQueue = {
  readonly pending: readonly object[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}
type RequestQueueClass = new (options: object) => RequestQueue

export function replaceRequestQueue(load: LoadStock) {
  const StockQueue = load<RequestQueueClass>('network/requestQueue/index.js')
  return class QuietRequestQueue extends StockQueue {
    override scheduleCheckPendingRequests(): void {
      if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return
      super.scheduleCheckPendingRequests()
    }
  }
}
