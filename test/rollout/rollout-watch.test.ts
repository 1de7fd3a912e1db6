// The rollout's metrics and health over HTTP, and the alerts of the page against them.

import { readFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WeirError } from '../../services/core/errors.ts'
import { openRolloutWatch } from '../../services/rollout/rollout-watch.ts'
import type { Judgement } from '../../services/rollout/run-rollout.ts'
import type { Trial } from '../../services/rollout/trial.ts'
import { createPairedCounts } from '../../services/statistics/paired-counts.ts'

const trial: Trial = {
  champion: { name: 'test', version: '1' },
  challenger: { name: 'test', version: '2' },
  share: 0.25,
  sinceEpoch: 3,
  sinceMs: 0,
  stepEpoch: 3,
  stepMs: 0,
  isRolledBack: false,
}
const counts = {
  ...createPairedCounts(),
  events: 100,
  failed: 2,
  flaggedByBoth: 10,
  flaggedByChallenger: 3,
  flaggedByChampion: 4,
  fraudsByChampion: 5,
  runs: 40,
  slowRuns: 7,
}
const judgementOf = (action: Judgement['verdict']['action']): Judgement => ({
  trial,
  verdict: { action, reasons: [] },
  counts,
})

async function openWatch() {
  const world = { isCaughtUp: true }
  const watch = await openRolloutWatch({
    definition: { pipeline: 'card-fraud', hash: 'abc' },
    settings: { http: { host: '127.0.0.1', port: 1, rolloutPort: 0 }, commit: 'abc1234' },
    isCaughtUp: () => world.isCaughtUp,
  })
  onTestFinished(watch.http.close)
  const get = async (path: string) => {
    const response = await fetch(`${watch.http.url}${path}`)
    return { status: response.status, text: await response.text() }
  }
  const ready = async () => {
    const { status, text } = await get('/health/ready')
    const { reasons } = JSON.parse(text) as { reasons: { code: string }[] }
    return [status, reasons.map(({ code }) => code)]
  }
  return { world, watch, get, ready }
}

describe('rollout watch', () => {
  it('shows the trial, its verdict and its evidence, and nothing of them once nobody is on trial', async () => {
    const { watch, get } = await openWatch()
    watch.judged(judgementOf('wait'))
    const { text } = await get('/metrics')
    for (const line of [
      'weir_rollout_trial_info{name="test",version="2",champion_version="1",stage="canary"} 1',
      'weir_rollout_share_ratio{name="test",version="2"} 0.25',
      'weir_rollout_verdict_info{verdict="wait"} 1',
      'weir_rollout_verdict_info{verdict="pause"} 0',
      'weir_rollout_compared_events{outcome="unflagged"} 83',
      'weir_rollout_compared_events{outcome="flagged_by_challenger"} 3',
      'weir_rollout_compared_events{outcome="failed"} 2',
      'weir_rollout_compared_runs{speed="slow"} 7',
      'weir_rollout_missed_frauds{flagged_by="champion"} 5',
      'weir_rollout_changes_total{action="rollback"} 0',
    ]) {
      expect(text).toContain(`\n${line}\n`)
    }
    // What is a scorer's is not told here: an alert on it would be wrong.
    expect(text).not.toMatch(/weir_owned_lanes|system="redis"/)
    watch.judged(null)
    const after = (await get('/metrics')).text
    expect(after).not.toMatch(/^weir_rollout_(trial_info|share_ratio)\{/m)
    expect(after).toContain('\nweir_rollout_verdict_info{verdict="wait"} 0\n')
  })

  it('the alerts of the page stand on what is shown here', async () => {
    const page = new URL('../../docs/operating/observability.md', import.meta.url)
    const rules = [...(await readFile(page, 'utf8')).matchAll(/- alert: (\w+)\n +expr: (.+)\n/g)]
    const exprOf = (name: string) => rules.find(([, alert]) => alert === name)![2]!
    const [, series, threshold] = /^(\S+) == (\d)$/.exec(exprOf('WeirRolloutPaused'))!
    const { watch, get } = await openWatch()
    for (const action of ['wait', 'pause', 'wait'] as const) {
      watch.judged(judgementOf(action))
      const { text } = await get('/metrics')
      expect(text.includes(`\n${series} ${threshold}\n`)).toBe(action === 'pause')
    }
    const [, counter, actions] = /increase\((\w+)\{action=~"(.+?)"\}/.exec(
      exprOf('WeirRolloutRolledBack'),
    )!
    for (const action of actions!.split('|')) {
      expect((await get('/metrics')).text).toContain(`\n${counter}{action="${action}"} 0\n`)
    }
  })

  it('is ready when Kafka answers and all events of the trial were read; live all the while', async () => {
    const { world, watch, get, ready } = await openWatch()
    expect(await ready()).toEqual([503, ['kafka_down']])
    watch.kafka(null)
    expect(await ready()).toEqual([200, []])
    world.isCaughtUp = false
    expect(await ready()).toEqual([200, []])
    watch.judged(judgementOf('wait'))
    expect(await ready()).toEqual([503, ['evidence_unread']])
    world.isCaughtUp = true
    watch.kafka(new Error('no broker answers'))
    expect(await ready()).toEqual([503, ['kafka_down']])
    expect((await get('/health/live')).status).toBe(200)
    expect((await get('/metrics')).text).toMatch(/^weir_connection_up\{system="kafka"\} 0$/m)
    watch.kafka(null)
    watch.failed(new WeirError('WEIR_KAFKA_AWAY', 'for good'))
    expect((await get('/health/live')).status).toBe(503)
    expect((await get('/metrics')).text).toContain(
      'weir_process_failures_total{code="WEIR_KAFKA_AWAY"} 1',
    )
  })
})
