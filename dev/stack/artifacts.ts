// Kafka's and the registry's jars, downloaded once per machine.
//
// In: the cache folder. Out: folders that hold the jars of exactly the pinned versions. Each
// artifact is made ready in a folder beside its place and renamed into it when complete, so a
// download that was cut off is never mistaken for a whole one, and two first starts at the same
// time do not disturb each other. Refused: a download that fails, with the end of Maven's output.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Say } from './machine-packages.ts'

export const kafkaVersion = '4.1.0'
export const registryVersion = '3.0.9'

const kafkaPom = fileURLToPath(new URL('./kafka-pom.xml', import.meta.url))

/** The maven program is asked for only when something has to be downloaded. */
type FindMaven = () => string

export function provideKafkaJars(cache: string, findMaven: FindMaven, say: Say): string {
  return provideOnce(join(cache, `kafka-${kafkaVersion}`), (folder) => {
    say(`downloading Apache Kafka ${kafkaVersion} (Maven, once per machine)`)
    runMaven(findMaven(), [
      '--file',
      kafkaPom,
      'dependency:copy-dependencies',
      `-Dkafka.version=${kafkaVersion}`,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${folder}`,
    ])
  })
}

export function provideRegistryJars(cache: string, findMaven: FindMaven, say: Say): string {
  return provideOnce(join(cache, `apicurio-registry-${registryVersion}`), (folder) => {
    say(`downloading Apicurio Registry ${registryVersion} (Maven, once per machine)`)
    runMaven(findMaven(), [
      'dependency:copy',
      `-Dartifact=io.apicurio:apicurio-registry-app:${registryVersion}:tar.gz:all`,
      `-DoutputDirectory=${folder}`,
    ])
    unpackOnlyArchive(folder)
  })
}

/** Makes `place` by `fill`, unless it is there. */
export function provideOnce(place: string, fill: (folder: string) => void): string {
  if (existsSync(place)) return place
  mkdirSync(join(place, '..'), { recursive: true })
  const unfinished = mkdtempSync(`${place}.unfinished-`)
  try {
    fill(unfinished)
    renameSync(unfinished, place)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    // Somebody else was quicker: theirs is as good.
    if (!existsSync(place)) throw error
  }
  return place
}

function runMaven(maven: string, mavenArguments: readonly string[]): void {
  const run = spawnSync(maven, ['--quiet', '--batch-mode', ...mavenArguments], { encoding: 'utf8' })
  if (run.status !== 0) {
    const end = `${run.stdout}${run.stderr}`.slice(-2_000)
    throw new Error(`maven ${mavenArguments.join(' ')} failed:\n${end}`)
  }
}

function unpackOnlyArchive(folder: string): void {
  const archive = readdirSync(folder).find((name) => name.endsWith('.tar.gz'))
  if (archive === undefined) throw new Error(`maven left no archive in ${folder}`)
  const run = spawnSync('tar', ['-xzf', archive], { cwd: folder, encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`tar could not unpack ${archive}: ${run.stderr}`)
  rmSync(join(folder, archive))
}
