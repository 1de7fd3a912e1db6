// Promises 1 and 2 with the champion at a real inference server (KServe) that is killed under load
// and comes back.
//
// The scorer is a process on the real stack. All that is asserted of events is read from the
// topics: one outcome for each input, and the score that the model's own graph gives, whoever
// computed it.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { prepareKserve, startKserve } from '../adapters/inference/kserve-server.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory } from '../support/judge-history.ts'
import {
  openScoringEnvironment,
  replaceLine,
  type ScoringEnvironment,
} from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { waitFor } from '../support/wait-for.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const RATE = 300
const SECONDS_MAX = 60
const EVENTS_EACH = 400
const SCORE_DIFFERENCE_MAX = 1e-5

const graph = join(repositoryFolder, 'models', 'card-fraud', '1', 'model.onnx')
let missing: string | null
let place: ScoringEnvironment | null = null
let collector: TopicCollector | null = null
beforeAll(async () => {
  missing = await prepareKserve()
})
afterAll(async () => {
  await collector?.close()
  await place?.close()
})

type Scored = ReturnType<WeirTopics['scored']>[number]
const isRemote = ({ modelProvider }: Scored): boolean => modelProvider === 'remote'

/** The graph's own scores of the features in the events. */
async function scoreAgain(events: readonly Scored[]): Promise<Float32Array> {
  const session = await InferenceSession.create(graph)
  const rows = Float32Array.from(events.flatMap(({ features }) => features))
  const input = new Tensor('float32', rows, [events.length, rows.length / events.length])
  const output = await session.run({ [session.inputNames[0]!]: input })
  await session.release()
  return output[session.outputNames[0]!]!.data as Float32Array
}

test('a remote champion that dies and comes back loses nothing, and changes no score', async ({
  skip,
}) => {
  if (missing !== null) return skip(missing)
  const server = await startKserve({ name: 'card-fraud', graph })
  place = await openScoringEnvironment({
    purpose: 'remote-champion',
    partitions: 2,
    pipelineText: replaceLine(
      'execution:',
      'execution: { providers: [cpu], require: false, workers: 1, remote: { timeout: 5s } }',
    ),
    environment: { WEIR_INFERENCE_URL: server.url },
  })
  collector = await collectTopics(place.kafka, allTopicsOf(place.definition))
  const topics = readWeirTopics(place.definition, collector)
  const scorer = await place.startScorer()
  await scorer.untilReady()
  const traffic = await place.startTraffic({ rate: RATE, seconds: SECONDS_MAX })

  const untilMore = async (isWanted: (event: Scored) => boolean, what: string) => {
    const count = () => topics.scored().filter(isWanted).length
    const before = count()
    await waitFor(
      () => {
        scorer.assertRunning()
        return count() >= before + EVENTS_EACH
      },
      () => `${count() - before} of ${EVENTS_EACH} more events ${what}; see ${scorer.logFile}`,
      { everyMs: 250 },
    )
  }
  await untilMore(isRemote, 'of the server')
  server.end()
  await untilMore((event) => !isRemote(event), 'of the fallback')
  expect(await scorer.readMetrics()).toContain('weir_connection_up{system="inference"} 0')
  await startKserve({ name: 'card-fraud', graph, port: server.port })
  await untilMore(isRemote, 'of the server that came back')
  const sent = await traffic.stop()
  await untilCommitted(place)
  scorer.signal('SIGTERM')
  expect(await scorer.ended).toBe('exited with code 0')
  await collector.untilEnd()

  const verdict = await judgeHistory(place, topics)
  expect(topics.received()).toHaveLength(sent.transactions + sent.poison)
  expect([verdict.missing, verdict.repeated]).toEqual([[], []])
  expect(verdict.recomputed.differences).toEqual([])
  const scored = topics.scored()
  expect(scored).toHaveLength(sent.transactions)
  const sha256 = createHash('sha256').update(readFileSync(graph)).digest('hex')
  const again = await scoreAgain(scored)
  for (const [row, event] of scored.entries()) {
    // Degraded says who scored, and nothing else differs.
    expect(event.degraded).toBe(!isRemote(event))
    expect(event.modelSha256).toBe(sha256)
    expect(Math.abs(event.score - again[row]!)).toBeLessThanOrEqual(SCORE_DIFFERENCE_MAX)
  }
  const flagged = scored.filter(({ decision }) => decision !== 'approve')
  expect(
    topics
      .alerts()
      .map(({ transactionId }) => transactionId)
      .sort(),
  ).toEqual(flagged.map(({ transactionId }) => transactionId).sort())
}, 180_000)
