// Waits for a condition with a deadline; what is waited for in vain says how far it got.

import { setTimeout as pause } from 'node:timers/promises'

const DEADLINE_MS = 45_000
const LOOK_EVERY_MS = 25

export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  describe: () => string,
  { everyMs = LOOK_EVERY_MS } = {},
): Promise<void> {
  const deadlineMs = Date.now() + DEADLINE_MS
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain: ${describe()}`)
    await pause(everyMs)
  }
}
