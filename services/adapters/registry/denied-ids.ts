// Schema ids that the registry denied: believed only when the denial has stood for a while.
//
//   first denial ──── limits.schemaAbsentMs ────► believed ──── absentMsMax ────► asked anew
//
// In: ids with each denial. Out: the fault of a believed one. Thrown: WEIR_REGISTRY_BEHIND for a
// denial that is not believed yet, because a node that follows the registry's leader may lag
// behind, and an event that is rejected stays rejected. Invariants: a denial is believed in the
// end, whatever is forgotten meanwhile; ids made up by a broken producer cost no more time once
// there are many of them.

import type { Clock } from '../../core/clock.ts'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { DecodeFault } from '../../pipeline/decode/message-decoder.ts'

/** How long a believed denial holds: a producer may register the schema. */
const absentMsMax = 60_000
/** How long it is remembered that it has stood: asked anew, it is believed at once. */
const rememberedMsMax = 600_000
/** Denied ids that are remembered: far more than one chunk of messages can hold. */
const idsMax = 10_000

type Denial = { readonly sinceMs: number; fault: DecodeFault | null; untilMs: number }

export function createDenials(clock: Clock) {
  const denials = new Map<number, Denial>()
  let believed = 0

  const forget = (id: number): void => {
    if (denials.get(id)?.fault) believed--
    denials.delete(id)
  }

  const forgetOldest = (nowMs: number): void => {
    for (const [id, { untilMs }] of denials) {
      if (untilMs + rememberedMsMax > nowMs && denials.size < idsMax) return
      forget(id)
    }
  }

  const believe = (id: number, denial: Denial): void => {
    forget(id)
    const detail = `the registry has no schema with id ${id}`
    const fault = new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', detail)
    denials.set(id, { ...denial, fault, untilMs: clock.nowMs() + absentMsMax })
    believed++
  }

  return {
    faultOf: (id: number): DecodeFault | null => {
      const denial = denials.get(id)
      return denial !== undefined && clock.nowMs() < denial.untilMs ? denial.fault : null
    },
    forget,
    note: (id: number): void => {
      const nowMs = clock.nowMs()
      forgetOldest(nowMs)
      const before = denials.get(id)
      const denial = before ?? { sinceMs: nowMs, fault: null, untilMs: nowMs + absentMsMax }
      const hasStood = nowMs - denial.sinceMs >= limits.schemaAbsentMs
      if (hasStood || believed >= limits.schemaAbsentIdsPatientMax) {
        believe(id, denial)
        return
      }
      denials.set(id, denial)
      const stood = `for ${nowMs - denial.sinceMs} ms, expected ${limits.schemaAbsentMs} ms`
      const detail = `The registry denies schema id ${id} ${stood} before its events are rejected.`
      throw new WeirError('WEIR_REGISTRY_BEHIND', detail)
    },
  }
}
