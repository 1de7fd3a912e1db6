// `weir models show`: everything that the manifest says is on the card, and nothing of a model that
// was changed.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readCardSource } from '../../services/cli/models-show-command.ts'
import { composeCard, drawCard, writeCard } from '../../services/gates/model-card.ts'
import { copyModel, manifestOf, shippedFolder } from '../adapters/onnx/fixture-models.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const runShow = (...words: string[]) =>
  spawnSync(process.execPath, ['services/cli/main.ts', 'models', 'show', ...words], {
    encoding: 'utf8',
  })

test('models show - the card has data, metrics, thresholds, drift reference and hashes', async () => {
  const page = join(temporaryFolder(), 'card.html')
  const { status, stdout } = runShow('card-fraud', '1', '--source', shippedFolder, '--html', page)
  expect(status).toBe(0)
  const manifest = await manifestOf('card-fraud', shippedFolder)
  const html = readFileSync(page, 'utf8')
  for (const text of [stdout, html]) {
    expect(text).toContain(manifest.files.cpu.sha256)
    expect(text).toContain(manifest.training.dataSha256)
    expect(text).toContain(manifest.metrics.averagePrecision.toFixed(3))
    expect(text).toContain('ranges.0.review.recall')
    expect(text).toContain('981,392 payments, 6,961 of them fraud')
    expect(text).toContain('Not signed.')
    for (const { name } of manifest.reference.features) expect(text).toContain(name)
  }
  expect(html).not.toMatch(/(?:src|href)=|<script/)
})

test('models show - shows lineage and bias, and escapes what a manifest says', async () => {
  const { folder } = await copyModel('trees')
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  manifest.training.lineage = { config: 'abc', libraries: { lightgbm: '<b>4.6</b>' } }
  manifest.biasTable = [{ segment: 'NO', falsePositiveRate: 0.0123 }]
  writeFileSync(path, JSON.stringify(manifest))
  const source = await readCardSource(folder)
  const card = composeCard(source)
  const text = writeCard(source, card)
  expect(text).toMatch(/libraries\.lightgbm +<b>4\.6<\/b>/)
  expect(text).toMatch(/NO +0\.0123/)
  expect(drawCard(source, card)).toContain('&#60;b&#62;4.6&#60;/b&#62;')
})

test('models show - refuses a model whose hashes do not hold', async () => {
  const { folder } = await copyModel('trees')
  writeFileSync(join(folder, 'golden.json'), '{}')
  const { status, stdout, stderr } = runShow(folder)
  expect(status).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('sha-256 is')
})
