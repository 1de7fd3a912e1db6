// A certificate of 127.0.0.1 and the authority that signed it, made by openssl and valid for a day.
//
// In: a folder. Out: the files, as servers take them. Where the machine has no openssl, or a Redis
// that was built without TLS, the tests that need one are skipped.

import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type TestCertificate = {
  readonly key: string
  readonly certificate: string
  readonly authority: string
}

export const canMakeCertificates = spawnSync('openssl', ['version']).status === 0

export const canSpeakTls =
  canMakeCertificates && /--tls\b/.test(String(spawnSync('redis-cli', ['--help']).output))

export function makeCertificate(folder: string): TestCertificate {
  const at = (name: string): string => join(folder, name)
  const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = ['-keyout', at('ca.key'), '-out', at('ca.crt'), '-subj', '/CN=Weir tests']
  openssl('req', '-x509', ...key, ...authority, '-days', '1')
  openssl('req', ...key, '-keyout', at('key'), '-out', at('request'), '-subj', '/CN=server')
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1')
  const signing = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '1']
  openssl(
    'x509',
    '-req',
    '-in',
    at('request'),
    ...signing,
    '-extfile',
    at('names'),
    '-out',
    at('crt'),
  )
  return { key: at('key'), certificate: at('crt'), authority: at('ca.crt') }
}

/** Settings of a redis-server that speaks TLS only, and asks clients for no certificate. */
export const tlsSettings = (tls: TestCertificate, port: number): readonly string[] => [
  ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
  ...['--tls-cert-file', tls.certificate, '--tls-key-file', tls.key],
  ...['--tls-ca-cert-file', tls.authority],
]
