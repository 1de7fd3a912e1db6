import { it } from 'vitest'
import { createLossyWorld } from '../support/lossy-world.ts'
it('dbg', async () => {
  const world = await createLossyWorld(Number(process.env.SEED ?? 3), { loss: 0.2, debug: true } as never)
  await world.run()
})
