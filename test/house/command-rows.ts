// The rows of docs/reference/commands.md, taken from what the `weir` command says about itself.
//
// In: the command's own --help, asked for every subcommand. Out: one row per command and one per
// flag. Asking the real program proves what a person gets to see, whatever it was built with.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repositoryFolder } from './house-files.ts'

type Entry = { readonly term: string; readonly text: string }

/** Rows [command, flag, meaning]; a command's own row has no flag. */
export function commandRows(words: readonly string[] = []): string[][] {
  const help = askForHelp(words)
  const subcommands = sectionOf(help, 'Commands:').filter(({ term }) => !term.startsWith('help '))
  const flags = sectionOf(help, 'Options:').filter(({ term }) => !term.includes('--help'))
  const command = `\`${['weir', ...words].join(' ')}\``
  const own = flags.map(({ term, text }) => [command, `\`${term}\``, text])
  return [
    ...own,
    ...subcommands.flatMap(({ term, text }) => {
      const path = [...words, term.split(' ')[0]!]
      return [[`\`${['weir', ...path].join(' ')}\``, '', text], ...commandRows(path)]
    }),
  ]
}

function askForHelp(words: readonly string[]): string {
  const program = join(repositoryFolder, 'services/cli/main.ts')
  const asked = spawnSync(process.execPath, [program, ...words, '--help'], { encoding: 'utf8' })
  if (asked.status !== 0) throw new Error(`weir ${words.join(' ')} --help: ${asked.stderr}`)
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
