// Functions over addresses and places: one form for each address, and distances that are known.

import { expect, test } from 'vitest'
import { ipPrefix } from '../../../services/expressions/functions/ip-prefix.ts'
import { evaluate } from '../compile-for-tests.ts'

test.each([
  ['emailDomain(email)', 'example.org'],
  ['emailDomain(" a@B.de ")', 'b.de'],
  ['emailDomain("\\"a@b\\"@c.de")', 'c.de'],
  ['emailDomain("a.b.de")', null],
  ['emailDomain("@b.de")', null],
  ['emailDomain("a@")', null],
  ['emailDomain("a@b de")', null],
  ['haversineKm(52.52, 13.405, 52.52, 13.405)', 0],
  ['round(haversineKm(0, 0, 0, 180), 3)', 20015.114],
  ['round(haversineKm(90, 0, -90, 77), 3)', 20015.114],
  ['round(haversineKm(0, 179.5, 0, -179.5), 3)', 111.195],
  ['round(haversineKm(52.52, 13.405, 48.8566, 2.3522))', 877],
  ['haversineKm(90.1, 0, 0, 0)', null],
  ['haversineKm(0, 0, 0, -180.5)', null],
  ['ipPrefix(device.ip, 24)', '192.0.2.0/24'],
  ['device.ip.ipPrefix(30)', '192.0.2.76/30'],
])('place functions - %s is %j', (text, expected) => {
  expect(evaluate(text)).toBe(expected)
})

test.each([
  ['255.255.255.255', 0, '0.0.0.0/0'],
  ['255.255.255.255', 1, '128.0.0.0/1'],
  ['255.255.255.255', 32, '255.255.255.255/32'],
  [' 10.1.2.3 ', 8, '10.0.0.0/8'],
  ['10.1.2.3', 33, null],
  ['10.1.2.3', 8.5, null],
  ['10.1.2.3', -1, null],
  ['10.1.2', 8, null],
  ['10.1.2.3.4', 8, null],
  ['10.1.2.256', 8, null],
  ['010.1.2.3', 8, null],
  ['10.1.2.', 8, null],
  ['', 8, null],
  ['2001:DB8:0:1::1', 64, '2001:db8:0:1::/64'],
  ['2001:db8:0:1:0:0:0:1', 128, '2001:db8:0:1::1/128'],
  ['2001:db8:ffff::1', 44, '2001:db8:fff0::/44'],
  ['2001:db8::', 129, null],
  ['::', 128, '::/128'],
  ['::1', 128, '::1/128'],
  ['1::', 16, '1::/16'],
  ['ffff::1', 0, '::/0'],
  // RFC 5952: the first of two runs as long, and none of a single zero.
  ['2001:0:0:1:0:0:1:1', 128, '2001::1:0:0:1:1/128'],
  ['2001:db8:0:1:1:1:1:1', 128, '2001:db8:0:1:1:1:1:1/128'],
  ['1:2:3:4:5:6:7::', 128, '1:2:3:4:5:6:7:0/128'],
  ['64:ff9b::192.0.2.1', 128, '64:ff9b::c000:201/128'],
  ['::ffff:192.0.2.77', 24, '192.0.2.0/24'],
  ['::FFFF:c000:024d', 24, '192.0.2.0/24'],
  ['::ffff:192.0.2.77', 120, null],
  ['1.2.3.4::', 8, null],
  ['1::2::3', 8, null],
  [':::', 8, null],
  ['1:2:3:4:5:6:7', 8, null],
  ['1:2:3:4:5:6:7:8:9', 8, null],
  ['1:2:3:4::5:6:7:8', 8, null],
  ['12345::', 8, null],
  ['fe80::1%eth0', 64, null],
  [':1', 8, null],
  ['1:', 8, null],
])('place functions - the first bits of %j, %d, are %j', (address, bits, expected) => {
  expect(ipPrefix(address, bits)).toBe(expected)
})
