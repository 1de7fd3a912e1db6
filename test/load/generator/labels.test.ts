// Labels: true, late, in order, and as many as asked for.

import { describe, expect, it } from 'vitest'
import { dayMs, type GeneratorOptions } from '../../../load/generator/options.ts'
import { generateHistory, generateTimeline } from '../../../load/generator/timeline.ts'
import { labelType } from '../../../load/generator/wire.ts'

const small: Partial<GeneratorOptions> = {
  seed: 5,
  customers: 1_000,
  terminals: 1_000,
  days: 28,
  fraudShare: 0.02,
}

describe('labels', () => {
  it('labels - tell the truth about a transaction that was, and copy its fields', () => {
    const { transactions, labels, fraudById } = generateHistory({
      ...small,
      genuineLabelShare: 0.05,
    })
    const byId = new Map(transactions.map((one) => [one.transactionId, one]))
    expect(labels.length).toBeGreaterThan(1_000)
    for (const label of labels) {
      expect(labelType.isValid(label, { noUndeclaredFields: true })).toBe(true)
      const { transactionId, eventTime, customerId, terminalId } = label
      expect(byId.get(transactionId)).toMatchObject({ eventTime, customerId, terminalId })
      expect(label.isFraud).toBe(fraudById.has(transactionId))
    }
    expect(new Set(labels.map(({ transactionId }) => transactionId)).size).toBe(labels.length)
  })

  it('labels - cover the asked shares', () => {
    const shares = { fraudLabelShare: 0.6, genuineLabelShare: 0.1 }
    const { transactions, labels, fraudById } = generateHistory({ ...small, ...shares })
    const ofFrauds = labels.filter(({ isFraud }) => isFraud).length / fraudById.size
    const genuine = transactions.length - fraudById.size
    const ofGenuine = labels.filter(({ isFraud }) => !isFraud).length / genuine
    expect(Math.abs(ofFrauds - 0.6)).toBeLessThan(0.06)
    expect(Math.abs(ofGenuine - 0.1)).toBeLessThan(0.01)
  })

  it('labels - come an hour or more later, on average after the asked days, in order', () => {
    const { labels } = generateHistory({ ...small, labelDelayMeanDays: 3 })
    const delays = labels.map(({ labelTime, eventTime }) => labelTime - eventTime)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(3_600_000)
    const meanDays = delays.reduce((sum, delay) => sum + delay, 0) / delays.length / dayMs
    expect(meanDays).toBeGreaterThan(2.6)
    expect(meanDays).toBeLessThan(3.4)
    const times = labels.map(({ labelTime }) => labelTime)
    expect(times).toEqual([...times].sort((left, right) => left - right))
  })

  it('labels - appear in the timeline when they become known, not before and not much after', () => {
    let clockMs = 0
    let labels = 0
    let isOver = false
    const kinds: boolean[] = []
    for (const item of generateTimeline(small)) {
      if (item.kind === 'transaction') clockMs = item.transaction.eventTime
      else {
        labels++
        kinds.push(item.label.labelTime <= clockMs + 3_600_000)
        if (item.label.labelTime >= clockMs + 3_600_000) isOver = true
        else expect(isOver, 'a label of the past after one of the future').toBe(false)
        expect(item.label.labelTime).toBeGreaterThanOrEqual(clockMs)
      }
    }
    expect(labels).toBeGreaterThan(500)
    expect(kinds.filter(Boolean).length).toBeGreaterThan(400)
  })

  it('labels - keep silent about what is known only after the given moment', () => {
    const labelsUntilMs = Date.UTC(2026, 0, 20)
    const { labels } = generateHistory({ ...small, labelsUntilMs })
    const everything = generateHistory(small).labels
    expect(labels.length).toBeGreaterThan(100)
    expect(labels).toEqual(everything.filter(({ labelTime }) => labelTime <= labelsUntilMs))
  })
})
