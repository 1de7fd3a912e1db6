// ISO 4217, list one: the currencies in use, as published on 1 January 2026.
//
// A table of our own, because the one in Node is its ICU's: another version, another amount of the
// same event, and its decimals are those of shop windows, not of the standard. In: nothing. Out: by
// alphabetic code the numeric one and the exponent: how many decimals one unit has. Refuses
// nothing. Invariant: each code stands here once; a number
// that went from one currency to the next means the one in use.

type Currency = {
  /** Three digits. */
  readonly numeric: string
  /** Minor units are 10^-exponent of the unit; null where there are none, as for gold. */
  readonly exponent: number | null
}

type Rows = { readonly exponent: number | null; readonly codes: string }

const two: Rows = {
  exponent: 2,
  codes:
    'AED784 AFN971 ALL008 AMD051 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 ' +
    'BMD060 BND096 BOB068 BOV984 BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 CDF976 ' +
    'CHE947 CHF756 CHW948 CNY156 COP170 COU970 CRC188 CUP192 CVE132 CZK203 DKK208 DOP214 ' +
    'DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826 GEL981 GHS936 GIP292 GMD270 ' +
    'GTQ320 GYD328 HKD344 HNL340 HTG332 HUF348 IDR360 ILS376 INR356 IRR364 JMD388 KES404 ' +
    'KGS417 KHR116 KPW408 KYD136 KZT398 LAK418 LBP422 LKR144 LRD430 LSL426 MAD504 MDL498 ' +
    'MGA969 MKD807 MMK104 MNT496 MOP446 MRU929 MUR480 MVR462 MWK454 MXN484 MXV979 MYR458 ' +
    'MZN943 NAD516 NGN566 NIO558 NOK578 NPR524 NZD554 PAB590 PEN604 PGK598 PHP608 PKR586 ' +
    'PLN985 QAR634 RON946 RSD941 RUB643 SAR682 SBD090 SCR690 SDG938 SEK752 SGD702 SHP654 ' +
    'SLE925 SOS706 SRD968 SSP728 STN930 SVC222 SYP760 SZL748 THB764 TJS972 TMT934 TOP776 ' +
    'TRY949 TTD780 TWD901 TZS834 UAH980 USD840 USN997 UYU858 UZS860 VED926 VES928 WST882 ' +
    'XAD396 XCD951 XCG532 YER886 ZAR710 ZMW967 ZWG924',
}

const zero: Rows = {
  exponent: 0,
  codes:
    'BIF108 CLP152 DJF262 GNF324 ISK352 JPY392 KMF174 KRW410 PYG600 RWF646 UGX800 UYI940 ' +
    'VND704 VUV548 XAF950 XOF952 XPF953',
}

const three: Rows = {
  exponent: 3,
  codes: 'BHD048 IQD368 JOD400 KWD414 LYD434 OMR512 TND788',
}

const four: Rows = { exponent: 4, codes: 'CLF990 UYW927' }

/** History that is replayed was written while they were in use: each stays for ten years. */
const withdrawn: Rows = {
  exponent: 2,
  codes: 'ANG532 BGN975 CUC931 HRK191 MRO478 SLL694 STD678 VEF937 ZWL932',
}
const withdrawnWithoutDecimals: Rows = { exponent: 0, codes: 'BYR974' }

const none: Rows = {
  exponent: null,
  codes:
    'XAG961 XAU959 XBA955 XBB956 XBC957 XBD958 XDR960 XPD964 XPT962 XSU994 XTS963 XUA965 ' +
    'XXX999',
}

export const iso4217: ReadonlyMap<string, Currency> = new Map(
  [withdrawn, withdrawnWithoutDecimals, two, zero, three, four, none].flatMap(
    ({ exponent, codes }) =>
      codes
        .split(' ')
        .map((row): [string, Currency] => [row.slice(0, 3), { numeric: row.slice(3), exponent }]),
  ),
)
