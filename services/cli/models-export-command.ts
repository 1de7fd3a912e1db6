// `weir models export <folder> --triton <dir>`: a model folder in, Triton's repository layout out.
//
//   <dir>/<name>/config.pbtxt
//   <dir>/<name>/<n>/model.onnx        n: a whole number, as Triton wants it
//
// Refused with WEIR_CLASSIFY_MODEL_REFUSED: what the scorer would refuse of the folder, and a
// version folder that holds another graph already. Invariant: the graph's bytes are those that were
// verified; a version that was written once is never changed.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { readGraphFolder } from '../adapters/models/model-files.ts'
import { type TritonInstance, writeTritonConfig } from '../adapters/models/triton-layout.ts'
import { readOutputColumns } from '../adapters/onnx/graph-shape.ts'
import { WeirError } from '../core/errors.ts'
import { modelsGroup } from './models-group.ts'

type Flags = {
  readonly triton: string
  readonly graph: 'cpu' | 'gpu'
  readonly tritonVersion?: number
  readonly instances: number
}

export function addModelsExport(program: Command): void {
  modelsGroup(program)
    .command('export')
    .description('write a model for an inference server')
    .argument('<folder>', 'folder that holds manifest.json')
    .requiredOption('--triton <dir>', 'model repository of Triton to write into')
    .addOption(
      new Option('--graph <which>', "the manifest's graph to serve, and the kind of instance")
        .choices(['cpu', 'gpu'])
        .default('cpu'),
    )
    .option('--instances <count>', 'instances of the model', parseCount, 1)
    .option('--triton-version <n>', "number of the version, else the manifest's", parseCount)
    .action(async (folder: string, flags: Flags) => {
      const written = await exportToTriton(folder, flags)
      process.stdout.write(`${written}\n`)
    })
}

/** Out: the path of the version's folder. */
export async function exportToTriton(folder: string, flags: Flags): Promise<string> {
  const files = await readGraphFolder(resolve(folder))
  const { manifest } = files
  const refuse = (detail: string) => new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail)
  const graph = files[flags.graph]
  if (graph === null) throw refuse(`${manifest.name} ${manifest.version} has no gpu graph`)
  const number = flags.tritonVersion ?? Number(manifest.version)
  if (!/^[1-9]\d{0,8}$/.test(String(number))) {
    throw refuse(`version ${manifest.version} is no whole number, expected --triton-version`)
  }
  const columns = await readOutputColumns(files, graph)
  const place = join(resolve(flags.triton), manifest.name)
  const target = join(place, String(number), 'model.onnx')
  if (existsSync(target)) {
    const found = createHash('sha256').update(readFileSync(target)).digest('hex')
    if (found !== graph.sha256) {
      throw refuse(`${target} is ${found}, expected ${graph.sha256} or no file: a version is final`)
    }
  }
  const instance: TritonInstance = { kind: flags.graph, count: flags.instances }
  const { sha256, bytes } = graph
  writeWhole(target, bytes)
  writeWhole(
    join(place, 'config.pbtxt'),
    writeTritonConfig({ manifest, sha256, columns, instance }),
  )
  return dirname(target)
}

/** A server that watches the folder sees the file whole or not at all. */
function writeWhole(path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.tmp`, content)
  renameSync(`${path}.tmp`, path)
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1.')
}
