// Proves docs/reference/doctor.md against the tables of checks, in both directions.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clockExamination } from '../../services/doctor/clock-checks.ts'
import { type Examination, systems } from '../../services/doctor/finding.ts'
import { kafkaExamination } from '../../services/doctor/kafka-checks.ts'
import { modelExamination } from '../../services/doctor/model-checks.ts'
import { redisExamination } from '../../services/doctor/redis-checks.ts'
import { registryExamination } from '../../services/doctor/registry-checks.ts'
import { repositoryFolder } from '../rules/repository-files.ts'

type Row = Pick<Examination<unknown>, 'system' | 'reach'> & {
  readonly checks: readonly {
    readonly name: string
    readonly why: string
    readonly worst: string
  }[]
}

const examinations: readonly Row[] = [
  kafkaExamination,
  redisExamination,
  registryExamination,
  clockExamination,
  modelExamination,
]

const readPage = () => readFile(join(repositoryFolder, 'docs/reference/doctor.md'), 'utf8')

test('doctor page - has every check with its reason, and no other', async () => {
  const expected = examinations.flatMap(({ system, reach, checks }) =>
    [{ ...reach, worst: 'fatal' }, ...checks].map(
      ({ name, worst, why }) => `| ${system} | ${name} | ${worst} | ${why} |`,
    ),
  )
  const table = (await readPage()).split('## Checks')[1]?.split(/\n\n/)[1]?.split('\n') ?? []
  expect(table.slice(2)).toEqual(expected)
})

test('doctor page - no two checks of a system share a name, and every system is looked at', () => {
  expect(examinations.map(({ system }) => system)).toEqual([...systems])
  for (const { reach, checks } of examinations) {
    const names = [reach.name, ...checks.map(({ name }) => name)]
    expect(new Set(names).size).toBe(names.length)
  }
})
