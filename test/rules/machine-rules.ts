// Nothing of one machine gets into the repository: paths, package hosts, download addresses.
//
// In: files. Out: one line per fault. The bad examples are put together from parts, because this
// file is under its own rule.

import { type CodeRule, exampleFile, isUnder, type RepositoryFile } from './repository-files.ts'

/** A home or working folder of somebody's machine. */
const machinePath = /(?<![\w.:*?)\]])\/(?:work|root|home|Users)\/[\w.-]+/

export function findMachinePaths(files: readonly RepositoryFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const found = machinePath.exec(text)?.[0]
    return found === undefined ? [] : [`${path}: has ${found}, a path of one machine`]
  })
}

/** Hosts that may be named: those of this machine, and namespaces that nobody ever asks. */
const namedHosts = ['127.0.0.1', 'json-schema.org', 'maven.apache.org']

/** A host without a dot (`http://redis:6379`) is an example's or a container's. */
export function findForeignHosts(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => path !== 'package-lock.json')
    .flatMap(({ path, text }) =>
      [...text.matchAll(/https?:\/\/(?:[^@/\s'"`]*@)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)/gi)]
        .map(([, host]) => host!)
        .filter((host) => !namedHosts.includes(host) && !/\.example$|^example\./.test(host))
        .map((host) => `${path}: names the host ${host}`),
    )
}

export function findLockedAddresses(files: readonly RepositoryFile[]): string[] {
  const lock = files.find(({ path }) => path === 'package-lock.json')
  if (lock === undefined) return []
  const { packages } = JSON.parse(lock.text) as { packages: Record<string, { resolved?: string }> }
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved !== undefined)
    .map(([name]) => `package-lock.json: ${name} has a download address`)
}

/** Settings of npm without which an installation is not the same everywhere. */
const npmSettings = {
  // Keeps download addresses out of the lock file.
  'omit-lockfile-registry-resolved': 'true',
  // Its install script downloads libraries for GPUs from a host that many networks block.
  'onnxruntime-node-install': 'skip',
}

export function findMissingNpmSettings(files: readonly RepositoryFile[]): string[] {
  const npmrc = files.find(({ path }) => path === '.npmrc')
  if (npmrc === undefined) return []
  const lines = npmrc.text.split('\n')
  const wanted = Object.entries(npmSettings).map(([name, value]) => `${name}=${value}`)
  const missing = wanted.filter((line) => !lines.includes(line))
  const registries = lines.filter((line) => /registry\s*=/.test(line) || line.includes('_auth'))
  return [
    ...missing.map((line) => `.npmrc: expected ${line}`),
    ...registries.map((line) => `.npmrc: has ${line}, which belongs to one machine`),
  ]
}

/** Dependencies are what they were when the tests passed: exact versions only. */
export function findLooseVersions(files: readonly RepositoryFile[]): string[] {
  const manifest = files.find(({ path }) => path === 'package.json')
  if (manifest === undefined) return []
  const { dependencies = {}, devDependencies = {} } = JSON.parse(manifest.text) as Record<
    string,
    Record<string, string>
  >
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    .map(([name, version]) => `package.json: ${name} ${version}, expected an exact version`)
}

const asPath = (...parts: readonly string[]): string => ['', ...parts].join('/')
const asUrl = (host: string): string => ['https:', '', host, 'a'].join('/')

export const machineRules: readonly CodeRule[] = [
  {
    says: 'no path of one machine is written down',
    find: findMachinePaths,
    broken: [
      {
        files: [exampleFile('docs/start.md', `Run it in ${asPath('home', 'ana', 'weir')}.`)],
        fault: /has .home.ana, a path of one machine/,
      },
      {
        files: [exampleFile('dev/a.ts', `const folder = '${asPath('work', 'main')}'`)],
        fault: /a path of one machine/,
      },
    ],
  },
  {
    says: 'no host of somebody else is written down',
    find: findForeignHosts,
    broken: [
      {
        files: [exampleFile('dev/a.ts', `const registry = '${asUrl('npm.corp.net')}'`)],
        fault: /names the host npm\.corp\.net/,
      },
      {
        files: [exampleFile('.npmrc', `registry=${asUrl('me:secret@packages.corp.net')}`)],
        fault: /names the host packages\.corp\.net/,
      },
    ],
  },
  {
    says: 'the lock file holds no download addresses',
    find: findLockedAddresses,
    broken: [
      {
        files: [
          exampleFile(
            'package-lock.json',
            JSON.stringify({ packages: { 'node_modules/a': { resolved: asUrl('npm.corp.net') } } }),
          ),
        ],
        fault: /node_modules\/a has a download address/,
      },
    ],
  },
  {
    says: '.npmrc has the settings that matter, and no registry',
    find: findMissingNpmSettings,
    broken: [
      { files: [exampleFile('.npmrc', 'fund=false')], fault: /expected omit-lockfile/ },
      {
        files: [exampleFile('.npmrc', `registry=${asUrl('npm.corp.net')}`)],
        fault: /belongs to one machine/,
      },
    ],
  },
  {
    says: 'dependencies have exact versions',
    find: findLooseVersions,
    broken: [
      {
        files: [exampleFile('package.json', JSON.stringify({ dependencies: { yaml: '^2.0.0' } }))],
        fault: /yaml \^2\.0\.0, expected an exact version/,
      },
    ],
  },
]

export const isDocument = ({ path }: RepositoryFile): boolean =>
  path.endsWith('.md') && !isUnder(path, 'test')
