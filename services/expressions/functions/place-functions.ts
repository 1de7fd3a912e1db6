// Functions over addresses and places: of e-mail, of the network, of the globe.
//
// In: texts and degrees. Out: a domain, a network's prefix, kilometres; absent where the text is no
// address or the degrees are on no globe. Refused: nothing. Invariant: two ways to write the same
// address give the same text.

import type { FieldValue } from '../../core/input-mapping.ts'
import type { ExpressionFunction } from './expression-function.ts'
import { ipPrefix } from './ip-prefix.ts'

/** Mean radius of the earth (IUGG). */
const EARTH_RADIUS_KM = 6371.0088

export const placeFunctions: readonly ExpressionFunction[] = [
  {
    name: 'emailDomain',
    parameters: { email: 'text' },
    result: 'text',
    sentence: 'What stands behind the last @, in small letters.',
    apply: emailDomain,
  },
  {
    name: 'ipPrefix',
    parameters: { address: 'text', bits: 'number' },
    result: 'text',
    sentence:
      'The network of an address, IPv4 or IPv6: `ipPrefix("192.0.2.7", 24)` is "192.0.2.0/24".',
    apply: ipPrefix,
  },
  {
    name: 'haversineKm',
    parameters: { lat1: 'number', lon1: 'number', lat2: 'number', lon2: 'number' },
    result: 'number',
    sentence: 'Kilometres between two places along the surface of the earth, from degrees.',
    apply: haversineKm,
  },
]

function emailDomain(email: string): FieldValue {
  const trimmed = email.trim()
  const at = trimmed.lastIndexOf('@')
  const domain = trimmed.slice(at + 1).toLowerCase()
  return at < 1 || domain === '' || /\s/.test(domain) ? null : domain
}

const isLatitude = (degrees: number): boolean => Math.abs(degrees) <= 90
const isLongitude = (degrees: number): boolean => Math.abs(degrees) <= 180

function haversineKm(lat1: number, lon1: number, lat2: number, lon2: number): FieldValue {
  const isOnGlobe = isLatitude(lat1) && isLatitude(lat2) && isLongitude(lon1) && isLongitude(lon2)
  if (!isOnGlobe) return null
  const radians = Math.PI / 180
  const latitude = Math.sin(((lat2 - lat1) * radians) / 2)
  const longitude = Math.sin(((lon2 - lon1) * radians) / 2)
  const share = latitude ** 2 + Math.cos(lat1 * radians) * Math.cos(lat2 * radians) * longitude ** 2
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(share)))
}
