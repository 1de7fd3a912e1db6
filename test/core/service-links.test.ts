// Services of Kubernetes that are called weir: what the kubelet injects for them stops no scorer.

import { expect, it } from 'vitest'
import { readSettings } from '../../services/core/settings.ts'

type Service = {
  readonly name: string
  readonly ip: string
  readonly ports: readonly { readonly port: number; readonly name?: string; protocol?: string }[]
}

/** As pkg/kubelet/envvars of Kubernetes makes them, in its order. */
function linksOf({ name, ip, ports }: Service): Record<string, string> {
  const upper = (text: string): string => text.replaceAll(/[.-]/g, '_').toUpperCase()
  const service = upper(name)
  const host = ip.includes(':') ? `[${ip}]` : ip
  const links: Record<string, string> = {
    [`${service}_SERVICE_HOST`]: ip,
    [`${service}_SERVICE_PORT`]: String(ports[0]!.port),
  }
  for (const { name: portName, port } of ports) {
    if (portName !== undefined) links[`${service}_SERVICE_PORT_${upper(portName)}`] = String(port)
  }
  for (const [i, { port, protocol = 'TCP' }] of ports.entries()) {
    const url = `${protocol.toLowerCase()}://${host}:${port}`
    if (i === 0) links[`${service}_PORT`] = url
    const prefix = `${service}_PORT_${port}_${protocol}`
    links[prefix] = url
    links[`${prefix}_PROTO`] = protocol.toLowerCase()
    links[`${prefix}_PORT`] = String(port)
    links[`${prefix}_ADDR`] = ip
  }
  return links
}

const cluster = {
  ...linksOf({ name: 'kubernetes', ip: '10.96.0.1', ports: [{ port: 443, name: 'https' }] }),
  ...linksOf({ name: 'weir', ip: '10.96.0.7', ports: [{ port: 9464, name: 'http-metrics' }] }),
  ...linksOf({
    name: 'weir-scorer',
    ip: 'fd00::17',
    ports: [
      { port: 9464, name: 'metrics' },
      { port: 5353, name: 'dns', protocol: 'UDP' },
    ],
  }),
  ...linksOf({ name: 'weir-redis', ip: '10.96.3.4', ports: [{ port: 6379 }] }),
}

const messageOf = (environment: Record<string, string>): string => {
  try {
    readSettings(environment, 1)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

it('settings - are the same in a cluster with Services weir, weir-scorer and weir-redis', () => {
  expect(Object.keys(cluster).filter((name) => name.startsWith('WEIR_')).length).toBeGreaterThan(20)
  expect(readSettings(cluster, 1)).toEqual(readSettings({}, 1))
  const own = { WEIR_HTTP_PORT: '8080', WEIR_REDIS_URL: 'redis://weir-redis:6379' }
  expect(readSettings({ ...cluster, ...own }, 1)).toEqual(readSettings(own, 1))
})

it('settings - still tell a name that was mistyped from those of a Service', () => {
  const mistyped = { WEIR_KAFKA_BROKER: 'a:9092', WEIR_HTP_PORT: '9464', WEIR_SERVICE: 'x' }
  const lines = messageOf({ ...cluster, ...mistyped })
    .split('\n')
    .slice(1)
  expect(lines).toEqual([
    expect.stringMatching(
      /^WEIR_KAFKA_BROKER {2}found an unknown.*did you mean WEIR_KAFKA_BROKERS/,
    ),
    expect.stringMatching(/^WEIR_HTP_PORT {2}found an unknown.*did you mean WEIR_HTTP_PORT/),
    expect.stringMatching(/^WEIR_SERVICE {2}found an unknown name/),
  ])
})

it('settings - take no port from a Service weir-http, and refuse a link that somebody typed', () => {
  const links = linksOf({ name: 'weir-http', ip: '10.96.0.9', ports: [{ port: 80 }] })
  expect(links.WEIR_HTTP_PORT).toBe('tcp://10.96.0.9:80')
  expect(readSettings(links, 1).http.port).toBe(9464)
  expect(messageOf({ WEIR_HTTP_PORT: 'tcp://0.0.0.0:80' })).toContain('WEIR_HTTP_PORT  found "tcp:')
  expect(messageOf({ ...links, WEIR_HTTP_PORT: '70000' })).toContain('found "70000"')
})
