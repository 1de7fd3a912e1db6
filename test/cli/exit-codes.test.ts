// Exit code 2 for all that a restart does not help, in every program, as a process.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repositoryFolder } from '../rules/repository-files.ts'

const programs = {
  weir: 'services/cli/main.ts',
  demo: 'load/demo/main.ts',
  chaos: 'load/chaos/main.ts',
  bench: 'load/bench/main.ts',
  generator: 'load/generator/main.ts',
  train: 'training/main.ts',
  stack: 'dev/stack/command.ts',
} as const

type Ended = { readonly code: number; readonly out: string; readonly error: string }

function run(line: string): Promise<Ended> {
  const [name, ...words] = line.split(' ')
  const program = join(repositoryFolder, programs[name as keyof typeof programs])
  const options = { cwd: repositoryFolder, timeout: 60_000 }
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], options, (failure, out, error) => {
      resolve({ code: failure === null ? 0 : Number(failure.code), out, error })
    })
  })
}

const LONG = { timeout: 60_000 }
/** Refused before anything is opened, so neither needs to be there. */
const replay = 'weir replay --transactions none.parquet --out none'

it.each([
  ['weir', /Usage: weir/],
  ['weir scroe', /unknown command 'scroe'.*did you mean score/is],
  ['weir score --pipelin x', /unknown option '--pipelin'/],
  ['weir models canary', /required option '--share/],
  ['weir models canary m 1 --share 10 --why x', /Allowed choices are 1, 5, 25, 50, 100/],
  ['weir parity --sample many', /Expected a whole number from 0/],
  ['weir parity --from 2026-02-30', /Expected a time such as 2026-01-31/],
  ['weir rebuild --from 01/02/2026', /Expected a time such as 2026-01-31/],
  [`${replay} --measure-to 7`, /Expected a time such as 2026-01-31/],
  [
    `${replay} --measure-from 2026-02-01 --measure-to 2026-01-01`,
    /found --measure-from 2026-02-01T00:00:00.000Z, expected a time before --measure-to/,
  ],
  ['weir topics apply --partitions 0', /Expected a whole number from 1/],
  ['demo --rate 0', /Expected a whole number from 1/],
  ['chaos --campaign nope', /Expected some of/],
  ['bench drain --events 0', /Expected a whole number from 1/],
  ['generator files', /required option '--out/],
  ['generator files --out x --start 2026-02-30', /expected a time such as 2026-01-01/],
  ['train', /Usage: train.*--config <file>/s],
  ['train --nope', /unknown option '--nope'/],
  ['stack', /Usage: npm run stack -- up\|down\|status/],
  ['stack sideways', /found 'sideways', expected up, down or status/],
])('exit code - of `%s` is 2, and it says why', LONG, async (line, told) => {
  const { code, out, error } = await run(line)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(error).toMatch(told)
})

it.each([
  ['weir --help', /Usage: weir/],
  ['train --help', /--out <folder>/],
  ['stack --help', /down {4}end them/],
])('exit code - of `%s` is 0, with the help', LONG, async (line, told) => {
  const { code, out, error } = await run(line)
  expect({ code, error }).toEqual({ code: 0, error: '' })
  expect(out).toMatch(told)
})
