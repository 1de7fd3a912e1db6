// The pipeline of a campaign: the given one, with lanes that may drift an hour apart.
//
// In: a pipeline file and a folder. Out: a copy of the file in it. Weeks of event time pass in the
// minutes of a campaign; in steps of a second, lanes of different scorers would wait for one
// another most of the time. Refused: a file that says something else about it.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ALIGN = 'align: { maxDrift: 1h, maxWait: 10s }'

export function writeChaosPipeline(pipelineFile: string, folder: string): string {
  const text = readFileSync(pipelineFile, 'utf8')
  if (/^align:/m.test(text)) {
    throw new Error(`${pipelineFile} has an align section, expected none: campaigns add ${ALIGN}`)
  }
  const copy = join(folder, 'pipeline.yaml')
  writeFileSync(copy, `${text}\n${ALIGN}\n`)
  return copy
}
