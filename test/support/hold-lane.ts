// A lane taken over as lanes do it: claimed, then confirmed, so that the store lets it advance.

import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'

export async function holdLane(
  store: EntityLogStore,
  laneId: number,
  { committedOffset = 0, laneIds = [laneId] }: Partial<Held> = {},
) {
  const claimed = await store.claim(laneId)
  const state = await store.confirm({ laneId, epoch: claimed.epoch, committedOffset }, laneIds)
  return { laneId, ...claimed, state }
}

type Held = {
  readonly committedOffset: number
  /** Lanes that have to be confirmed before the store is ready. */
  readonly laneIds: readonly number[]
}
