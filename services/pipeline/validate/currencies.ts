// The currencies that an event may name: ISO 4217, as of 1 January 2026.
//
// A table of our own, because the one in Node is its ICU's: another version, another verdict on the
// same event when it is delivered again. In: nothing. Out: a set of codes. Refuses nothing.
// Withdrawn codes stay for ten years: history that is replayed was written while they were in use.

const active =
  'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD ' +
  'CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP ' +
  'GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR ' +
  'KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN ' +
  'MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD ' +
  'SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX ' +
  'USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD ' +
  'XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG'

/** By the year in which they went. */
const withdrawn = {
  2016: 'BYR',
  2017: 'MRO',
  2018: 'STD VEF',
  2021: 'CUC',
  2023: 'HRK SLL',
  2024: 'ZWL',
  2025: 'ANG',
  2026: 'BGN',
} as const

export const currencies: ReadonlySet<string> = new Set(
  [active, ...Object.values(withdrawn)].flatMap((codes) => codes.split(' ')),
)
