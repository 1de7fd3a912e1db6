// A manifest against a pipeline: name, version, features and their order, and the loader's use of
// it.

import { describe, expect, test } from 'vitest'
import { formatFault } from '../../../services/adapters/pipeline-file/pipeline-fault.ts'
import {
  loadPipelineFile,
  readPipelineText,
} from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import {
  type ComparedManifest,
  checkManifest,
  readManifest,
} from '../../../services/adapters/pipeline-file/pipeline-manifest.ts'
import { WeirError } from '../../../services/core/errors.ts'
import { featureSetHash } from '../../../services/models/manifest.ts'
import { repositoryPath, soundText, textWith } from './pipeline-text.ts'

const definition = readPipelineText(soundText).definition!
const names = definition.features.map((feature) => feature.name)

const manifestOf = (own: readonly string[], changes: object = {}): ComparedManifest => ({
  name: 'small',
  version: '1',
  featureSet: { names: own, hash: featureSetHash(own) },
  ...changes,
})

const faultsOf = (manifest: ComparedManifest): readonly string[] =>
  checkManifest(definition, manifest).map(formatFault)

describe('manifest', () => {
  test('manifest - of the same features in the same order agrees', () => {
    expect(faultsOf(manifestOf(names))).toEqual([])
  })

  test('manifest - of another name and version is refused', () => {
    expect(faultsOf(manifestOf(names, { name: 'big', version: '2' }))).toEqual([
      'model  found name "big" in the manifest of small 1, expected "small"',
      'model  found version "2" in the manifest of small 1, expected "1"',
    ])
  })

  test('manifest - with two features swapped names both places', () => {
    const swapped = [names[1]!, names[0]!, ...names.slice(2)]
    expect(faultsOf(manifestOf(swapped))).toEqual([
      'model  found feature 1 is_online in the manifest of small 1, expected amount as in the pipeline',
      'model  found feature 2 amount in the manifest of small 1, expected is_online as in the pipeline',
    ])
  })

  test('manifest - with one feature less or more says which', () => {
    expect(faultsOf(manifestOf(names.slice(0, -1)))).toEqual([
      'model  found feature 9 missing in the manifest of small 1, expected by_mean as in the pipeline',
    ])
    expect(faultsOf(manifestOf([...names, 'extra']))).toEqual([
      'model  found feature 10 extra in the manifest of small 1, expected no such feature',
    ])
  })

  test('manifest - that differs everywhere lists the first three and counts the rest', () => {
    const faults = faultsOf(manifestOf(names.map((name) => `${name}x`)))
    expect(faults).toHaveLength(4)
    expect(faults[3]).toContain(`${names.length - 3} more features that differ`)
  })

  test('manifest - with the right names and a wrong hash is refused', () => {
    const faults = faultsOf(manifestOf(names, { featureSet: { names, hash: 'f00' } }))
    expect(faults).toEqual([expect.stringContaining('featureSet.hash f00')])
  })

  test('manifest - is held against the file by the loader, champion and challengers alike', () => {
    const text = textWith(['version: "1" }', 'version: "1", challengers: [{ version: "2" }] }'])
    const manifestReader = ({ version }: { version: string }) =>
      version === '1' ? null : manifestOf(names.slice(1), { version })
    const { faults } = readPipelineText(text, { manifestReader })
    expect(faults[0]?.found).toContain('in the manifest of small 2')
    expect(faults[0]?.position).toEqual({ line: 15, column: 1 })
  })

  test('manifest - that cannot be read is a fault among the others', () => {
    const manifestReader = () => {
      throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', 'not JSON')
    }
    const text = textWith(['pipeline: small', 'pipeline: Small'])
    const { faults } = readPipelineText(text, { manifestReader })
    expect(faults.map((fault) => fault.path)).toEqual([['pipeline'], ['model']])
  })

  test('manifest - of the bench agrees with its pipeline; a folder without one gives null', () => {
    const source = repositoryPath('models')
    const bench = loadPipelineFile(repositoryPath('load/bench/pipelines/pipeline.yaml'), {
      baseFolder: repositoryPath('.'),
      manifestReader: readManifest,
    })
    expect(readManifest(bench.model.champion)?.name).toBe('bench')
    expect(readManifest({ name: 'none', version: '1', source })).toBeNull()
  })
})
