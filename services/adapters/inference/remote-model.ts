// The champion at an inference server: vectors in, scores out, and never believed without a
// witness.
//
// `examine` asks for readiness and metadata and scores the golden vectors, tiled to the largest
// request; it also finds out whether the server takes binary tensors. `score` sends rows in
// requests of at most `requestRowsMax`, each with one golden row behind them, whose score has to
// come back: a server whose model was exchanged is met with the next requests. Thrown:
// WEIR_CLASSIFY_REMOTE_AWAY where no answer came, WEIR_CLASSIFY_REMOTE_WRONG where it is not this
// model's. Invariant: what `score` returns is in [0, 1], row for row, and came in answers whose
// witness was right.

import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { RemoteExecution } from '../../core/pipeline-definition.ts'
import type { ScoringModel } from '../../pipeline/records.ts'
import { goldenDifferenceMax } from '../models/golden-vectors.ts'
import type { ModelFiles } from '../models/model-files.ts'
import {
  decodeJson,
  decodeScores,
  encodeInfer,
  refuseStatus,
  type TensorForm,
} from './infer-message.ts'
import type { InferenceClient } from './inference-client.ts'
import { metadataFaults } from './model-metadata.ts'

type RemoteModel = {
  readonly model: ScoringModel
  readonly examine: () => Promise<void>
  readonly score: (vectors: Float32Array, rows: number) => Promise<Float32Array>
}

type RemoteModelOptions = {
  readonly client: InferenceClient
  /** The same model's folder: its manifest says what the server has to have. */
  readonly files: ModelFiles
  readonly remote: RemoteExecution
}

export function createRemoteModel({ client, files, remote }: RemoteModelOptions): RemoteModel {
  const { manifest, golden } = files
  const { input, output, featureSet } = manifest
  const width = featureSet.names.length
  const { version, requestRowsMax } = remote
  const name = remote.model ?? manifest.name
  const place = `/v2/models/${encodeURIComponent(name)}`
  const path = version === null ? place : `${place}/versions/${encodeURIComponent(version)}`
  let form: TensorForm = 'binary'
  let witness = 0
  let sent = 0

  const infer = async (
    vectors: Float32Array,
    { as, timeoutMs }: { as: TensorForm; timeoutMs: number },
  ): Promise<Float32Array> => {
    const rows = vectors.length / width
    const id = `weir-${++sent}`
    const call = encodeInfer({ id, input, output, vectors, rows, width }, as)
    const answer = await client.send({ method: 'POST', path: `${path}/infer`, ...call, timeoutMs })
    return decodeScores(answer, { output, rows, version })
  }

  const checkGolden = async (as: TensorForm): Promise<void> => {
    const rows = Array.from({ length: requestRowsMax }, (_, row) => row % golden.count)
    const vectors = new Float32Array(rows.length * width)
    for (const [row, from] of rows.entries()) vectors.set(goldenRow(from), row * width)
    const scores = await infer(vectors, { as, timeoutMs: limits.remoteExamineMsMax })
    for (const [row, from] of rows.entries()) refuseDifference(from, scores[row]!)
  }

  const goldenRow = (row: number): Float32Array =>
    golden.vectors.subarray(row * width, (row + 1) * width)

  const refuseDifference = (row: number, found: number): void => {
    const expected = golden.scores[row]!
    if (Math.abs(found - expected) <= goldenDifferenceMax) return
    const detail = `golden row ${row} scores ${found}, expected ${expected} within ${goldenDifferenceMax}`
    throw new WeirError('WEIR_CLASSIFY_REMOTE_WRONG', `${name}: ${detail}`)
  }

  const examine = async (): Promise<void> => {
    const get = (where: string) =>
      client.send({ method: 'GET', path: where, timeoutMs: limits.remoteExamineMsMax })
    refuseStatus(await get('/v2/health/ready'))
    const metadata = decodeJson(await get(path))
    const faults = metadataFaults(metadata, { name, version, input, output, width })
    if (faults.length > 0) {
      throw new WeirError('WEIR_CLASSIFY_REMOTE_WRONG', `${name}: ${faults.join('; ')}`)
    }
    refuseStatus(await get(`${path}/ready`))
    form = await findForm()
  }

  /** The list of a server's extensions does not tell; an answer does. */
  const findForm = async (): Promise<TensorForm> => {
    try {
      await checkGolden('binary')
      return 'binary'
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'WEIR_CLASSIFY_REMOTE_WRONG') throw error
      await checkGolden('json')
      return 'json'
    }
  }

  const scoreSome = async (vectors: Float32Array): Promise<Float32Array> => {
    const last = vectors.length / width
    const row = witness++ % golden.count
    const witnessed = new Float32Array(vectors.length + width)
    witnessed.set(vectors)
    witnessed.set(goldenRow(row), vectors.length)
    const scores = await infer(witnessed, { as: form, timeoutMs: remote.timeoutMs })
    refuseDifference(row, scores[last]!)
    return scores.subarray(0, last)
  }

  const score = async (vectors: Float32Array, rows: number): Promise<Float32Array> => {
    const scores = new Float32Array(rows)
    const most = requestRowsMax - 1
    for (let from = 0; from < rows; from += most) {
      const to = Math.min(rows, from + most)
      scores.set(await scoreSome(vectors.subarray(from * width, to * width)), from)
    }
    return scores
  }
  const { sha256 } = files.cpu
  const model = { name: manifest.name, version: manifest.version, sha256, provider: 'remote' }
  return { model, examine, score }
}
