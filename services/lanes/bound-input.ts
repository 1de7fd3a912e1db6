// An input whose lanes end: what lies at or behind a lane's end is dropped, and never waited for.
//
// In: an input without end, and bounds. Out: the same input, which says of each lane that the topic
// ends where its bounds do. Nothing is refused. Invariants: no message at or behind `to` is handed
// over; a lane that has reached its end is fetched no further, whoever asks, so it counts as caught
// up and holds no other lane back.

import type { LaneAddress, LaneBounds, LaneInput } from './lane-input.ts'

export function boundInput(input: LaneInput, bounds: LaneBounds): LaneInput {
  const addresses = new Map<number, LaneAddress>()
  const over = new Set<number>()

  const end = (address: LaneAddress): void => {
    over.add(address.laneId)
    input.pause(address)
  }

  return {
    ...input,
    start: (events) =>
      input.start({
        ...events,
        fetched: (laneId, { messages, nextOffset }) => {
          const { to } = bounds(laneId)
          const address = addresses.get(laneId)
          if (nextOffset >= to && address !== undefined) end(address)
          events.fetched(laneId, {
            messages: messages.filter(({ offset }) => offset < to),
            nextOffset: Math.min(nextOffset, to),
            endOffset: to,
          })
        },
      }),
    seek: (address, offset) => {
      addresses.set(address.laneId, address)
      over.delete(address.laneId)
      input.seek(address, offset)
      if (offset >= bounds(address.laneId).to) end(address)
    },
    resume: (address) => {
      if (!over.has(address.laneId)) input.resume(address)
    },
  }
}
