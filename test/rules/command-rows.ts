// The rows of docs/reference/commands.md, taken from what the commands say about themselves.
//
// In: a program and its own --help, asked for every subcommand. Out: one row per command and one
// per flag. Asking the real program proves what a person gets to see, whatever it was built with.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repositoryFolder } from './repository-files.ts'

type Entry = { readonly term: string; readonly text: string }

const programs = {
  weir: 'services/cli/main.ts',
  demo: 'load/demo/main.ts',
  bench: 'load/bench/main.ts',
} as const

export type ProgramName = keyof typeof programs
export const programNames = Object.keys(programs) as ProgramName[]

/** Rows [command, flag, meaning]; a subcommand's own row has no flag. */
export function commandRows(name: ProgramName, words: readonly string[] = []): string[][] {
  const help = askForHelp(name, words)
  const subcommands = sectionOf(help, 'Commands:').filter(({ term }) => !term.startsWith('help '))
  const flags = sectionOf(help, 'Options:').filter(({ term }) => !term.includes('--help'))
  const command = [name, ...words].join(' ')
  return [
    ...flags.map(({ term, text }) => [`\`${command}\``, `\`${term}\``, text]),
    ...subcommands.flatMap(({ term, text }) => {
      const word = term.split(' ')[0]!
      return [[`\`${command} ${word}\``, '', text], ...commandRows(name, [...words, word])]
    }),
  ]
}

function askForHelp(name: ProgramName, words: readonly string[]): string {
  const program = join(repositoryFolder, programs[name])
  const asked = spawnSync(process.execPath, [program, ...words, '--help'], { encoding: 'utf8' })
  if (asked.status !== 0) throw new Error(`${name} ${words.join(' ')} --help: ${asked.stderr}`)
  return asked.stdout
}

/** Terms and texts of one section; a text that was wrapped is made one line again. */
export function sectionOf(help: string, title: string): Entry[] {
  const lines = help.split('\n')
  const from = lines.indexOf(title)
  if (from < 0) return []
  const end = lines.indexOf('', from)
  const entries: Entry[] = []
  for (const line of lines.slice(from + 1, end < 0 ? lines.length : end)) {
    const isContinued = /^ {4,}/.test(line)
    const [term = '', ...text] = line.trim().split(/ {2,}/)
    if (!isContinued) entries.push({ term, text: text.join(' ') })
    else {
      const last = entries.pop()!
      entries.push({ term: last.term, text: `${last.text} ${line.trim()}` })
    }
  }
  return entries
}
