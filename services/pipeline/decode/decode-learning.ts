// Messages decoded by a caller that may wait: new schema ids are learned on the way.
//
// In: messages, a decoder. Out: what decode gives, with nothing left to learn. Thrown: what keeps
// the registry from answering (WEIR_REGISTRY_AWAY), and an id that is as unknown as before after it
// was learned attemptsMax times (WEIR_REGISTRY_BEHIND): never a loop without an end. Invariant: a
// message is decoded right after its id was learned, so that neither the next ids nor the time that
// they take can make it unknown again.

import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { RawMessage } from '../records.ts'
import { type Decoded, decode, rejectionOf } from './decode.ts'
import { DecodeFault, type Decoder } from './message-decoder.ts'

/** @property attemptsMax times that one id is learned for one message. */
type Learning = {
  readonly attemptsMax: number
  readonly pause: (ms: number) => Promise<unknown>
}

type Learner = Pick<Decoder<unknown>, 'learn'>

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

const patiently: Learning = { attemptsMax: 3, pause }
const PAUSE_MS = 250
/** Questions to the registry that are open at a time. */
const asksAtOnceMax = 32

export async function decodeLearning<T>(
  messages: readonly RawMessage[],
  decoder: Decoder<T>,
  learning = patiently,
): Promise<Decoded<T>> {
  const decoded = decode(messages, decoder)
  if (decoded.missingIds.size === 0) return decoded
  await learnAll(decoder, [...decoded.missingIds], learning)
  const values = [...decoded.values]
  const rejections = [...decoded.rejections]
  for (const [i, message] of messages.entries()) {
    if (values[i] !== null) continue
    const result = await decodeOneLearning(message.value, decoder, learning, message)
    const isFault = result instanceof DecodeFault
    values[i] = isFault ? null : result
    rejections[i] = isFault ? rejectionOf(result) : null
  }
  return { values, rejections, missingIds: new Set() }
}

/** A fault that is given back has nothing to learn. */
export async function decodeOneLearning<T>(
  bytes: Buffer | null,
  decoder: Decoder<T>,
  learning = patiently,
  message?: RawMessage,
): Promise<T | DecodeFault> {
  for (let attempt = 0; ; attempt++) {
    const result = decoder.decode(bytes, message)
    if (!(result instanceof DecodeFault) || result.missingId === null) return result
    if (attempt === learning.attemptsMax) {
      const found = `schema id ${result.missingId} was learned ${attempt} times and is still unknown`
      throw new WeirError('WEIR_REGISTRY_BEHIND', `Found that ${found}.`)
    }
    await learn(decoder, result.missingId, learning)
  }
}

/** Together, so that ids which the registry denies are waited for once, not one after the other. */
export async function learnAll(
  decoder: Learner,
  ids: readonly number[],
  learning = patiently,
): Promise<void> {
  for (let from = 0; from < ids.length; from += asksAtOnceMax) {
    const some = ids.slice(from, from + asksAtOnceMax)
    await Promise.all(some.map((id) => learn(decoder, id, learning)))
  }
}

/** Until the registry's denial is believed: for limits.schemaAbsentMs at most. */
async function learn(decoder: Learner, id: number, learning: Learning): Promise<void> {
  const asksMax = 2 + Math.ceil(limits.schemaAbsentMs / PAUSE_MS)
  for (let ask = 1; ; ask++) {
    try {
      await decoder.learn(id)
      return
    } catch (error) {
      const isBehind = error instanceof WeirError && error.code === 'WEIR_REGISTRY_BEHIND'
      if (!isBehind || ask >= asksMax) throw error
      await learning.pause(PAUSE_MS)
    }
  }
}
