// Lanes that end: what lies behind the end is not there, and nobody fetches it.

import { expect, it } from 'vitest'
import { boundInput } from '../../services/lanes/bound-input.ts'
import type {
  Fetched,
  LaneAddress,
  LaneInput,
  LaneInputEvents,
} from '../../services/lanes/lane-input.ts'

const lane: LaneAddress = { laneId: 0, stream: 'transactions', topic: 't', partition: 0 }
const message = (offset: number) => ({ offset, brokerTimeMs: 0, key: null, value: null })

async function openBounded() {
  const asked: string[] = []
  const fetched: Fetched[] = []
  let events!: LaneInputEvents
  const input: LaneInput = {
    start: async (given) => {
      events = given
    },
    seek: (_, offset) => void asked.push(`seek ${offset}`),
    pause: () => void asked.push('pause'),
    resume: () => void asked.push('resume'),
    stop: async () => undefined,
  }
  const bounded = boundInput(input, () => ({ from: 5, to: 8 }))
  await bounded.start({
    assigned: () => undefined,
    revoked: () => undefined,
    crashed: () => undefined,
    fetched: (_, each) => void fetched.push(each),
  })
  return { bounded, asked, fetched, deliver: (each: Fetched) => events.fetched(0, each) }
}

it('bounded input - hands over what lies before the end, and says that the topic ends there', async () => {
  const { bounded, asked, fetched, deliver } = await openBounded()
  bounded.seek(lane, 5)
  deliver({ messages: [message(5)], nextOffset: 6, endOffset: 100 })
  expect(asked).toEqual(['seek 5'])
  deliver({ messages: [message(7), message(8), message(9)], nextOffset: 10, endOffset: 100 })
  expect(fetched).toEqual([
    { messages: [message(5)], nextOffset: 6, endOffset: 8 },
    { messages: [message(7)], nextOffset: 8, endOffset: 8 },
  ])
  bounded.resume(lane)
  expect(asked).toEqual(['seek 5', 'pause'])
})

it('bounded input - fetches nothing for a lane that is claimed at its end', async () => {
  const { bounded, asked } = await openBounded()
  bounded.seek(lane, 8)
  bounded.resume(lane)
  expect(asked).toEqual(['seek 8', 'pause'])
})

it('bounded input - fetches on for a lane that is claimed anew before its end', async () => {
  const { bounded, asked, deliver } = await openBounded()
  bounded.seek(lane, 5)
  deliver({ messages: [message(7)], nextOffset: 8, endOffset: 8 })
  bounded.seek(lane, 6)
  bounded.resume(lane)
  expect(asked).toEqual(['seek 5', 'pause', 'seek 6', 'resume'])
})
