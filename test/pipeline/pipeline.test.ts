// Whoever is behind a batch that failed turns back, by the claim of its lanes alone.

import { expect, it } from 'vitest'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { WeirError } from '../../services/core/errors.ts'
import { planDecide } from '../../services/pipeline/decide/decide.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import { BatchAbandoned, createJudge } from '../../services/pipeline/pipeline.ts'
import { hashClassifier } from '../support/memory-scorer.ts'
import { customer, fieldFeature, pipelineOf } from '../support/pipelines.ts'
import { arrivalOf, batchOfParts, sliceOf } from '../support/stage-batches.ts'

const definition = pipelineOf({
  entities: [customer],
  features: [fieldFeature({ field: 'amountMinor' })],
})

function openJudge() {
  const plan = planFeatures(definition)
  const memory = createMemoryLogStore(plan.kinds)
  let failures = 1
  const store = {
    ...memory,
    advance: async (request: Parameters<typeof memory.advance>[0]) => {
      if (failures-- > 0) throw new WeirError('WEIR_ENRICH_STORE_AWAY', 'planted')
      return memory.advance(request)
    },
  }
  const judge = createJudge({
    enrich: { plan, store, late: definition.late },
    classify: { classifier: hashClassifier, reasonsFrom: 2 },
    decide: planDecide(definition.policy, plan.entities),
    observe: observeNothing,
  })
  return { memory, run: (batch: ReturnType<typeof batchAt>) => judge(batch, { isWanted, leave }) }
}

/** Its lanes have not been told yet that a batch failed. */
const isWanted = (): boolean => true
const leave = (): string => 'left'

const batchOfBoth = (epochs: readonly [number, number], offset: number) =>
  batchOfParts({
    lanes: [0, 2].map((laneId, i) =>
      sliceOf(laneId, { epoch: epochs[i]!, firstOffset: offset, lastOffset: offset }),
    ),
    arrivals: [arrivalOf(offset), arrivalOf(offset)],
    laneIndexes: [0, 1],
  })

const batchAt = (laneId: number, epoch: number, offset: number) =>
  batchOfParts({
    lanes: [sliceOf(laneId, { epoch, firstOffset: offset, lastOffset: offset })],
    arrivals: [arrivalOf(offset)],
  })

it('pipeline - a batch behind one that failed is abandoned, though it still seems to be wanted', async () => {
  const { memory, run } = openJudge()
  const first = await memory.claim(0)
  const other = await memory.claim(2)
  const failing = run(batchAt(0, first.epoch, 0))
  const behind = run(batchAt(0, first.epoch, 1))
  const beside = run(batchAt(2, other.epoch, 0))
  await expect(failing).rejects.toMatchObject({ code: 'WEIR_ENRICH_STORE_AWAY' })
  await expect(behind).rejects.toBeInstanceOf(BatchAbandoned)
  await expect(beside).resolves.toBe('left')
  const again = await memory.claim(0)
  await expect(run(batchAt(0, again.epoch, 0))).resolves.toBe('left')
})

it('pipeline - so is one behind a batch that was abandoned, though its lane had no part in the failure', async () => {
  const { memory, run } = openJudge()
  const [first, other] = [await memory.claim(0), await memory.claim(2)]
  const failing = run(batchAt(0, first.epoch, 0))
  const abandoned = run(batchOfBoth([first.epoch, other.epoch], 1))
  const behind = run(batchAt(2, other.epoch, 2))
  await expect(failing).rejects.toMatchObject({ code: 'WEIR_ENRICH_STORE_AWAY' })
  await expect(abandoned).rejects.toBeInstanceOf(BatchAbandoned)
  await expect(behind).rejects.toBeInstanceOf(BatchAbandoned)
})
