// The pipeline of a campaign: the given one, made to meet more of what can go wrong.
//
// In: a pipeline file and a folder. Out: a copy of the file in it, with two changes. The terminals'
// windows get a tail, so that their logs are folded all the time. Lanes may drift an hour apart:
// weeks of event time pass in minutes, and in steps of a second lanes would wait for one another most
// of the time. Refused: a file that says something else about these. The names of the features, and
// so the model, stay the same.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const TERMINAL_WINDOW = 'entity: terminal,'
const TAIL = 'tail: 1h,'
const ALIGN = 'align: { maxDrift: 1h, maxWait: 10s }'

export function writeChaosPipeline(pipelineFile: string, folder: string): string {
  const text = readFileSync(pipelineFile, 'utf8')
  if (/^align:/m.test(text) || /^\s*entity: terminal$/m.test(text)) {
    throw new Error(`${pipelineFile} has an align section, or entity: terminal at a line's end`)
  }
  const changed = text.replaceAll(TERMINAL_WINDOW, `${TERMINAL_WINDOW} ${TAIL}`)
  const copy = join(folder, 'pipeline.yaml')
  writeFileSync(copy, `${changed}\n${ALIGN}\n`)
  return copy
}
