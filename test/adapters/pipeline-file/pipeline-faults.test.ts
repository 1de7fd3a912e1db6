// Every kind of fault of a pipeline file: where it is, what was found, what was expected.

import { describe, expect, test } from 'vitest'
import { formatFault } from '../../../services/adapters/pipeline-file/pipeline-fault.ts'
import { readPipelineText } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { limits } from '../../../services/core/limits.ts'
import { textWith } from './pipeline-text.ts'

type Case = {
  readonly title: string
  readonly change: readonly [string, string]
  /** `line:column  path  found ..., expected ...`, the beginning of each fault in order. */
  readonly faults: readonly string[]
}

const amountLine = '{ name: amount, field: amountMinor, scale: 0.01 }'
const meanLine =
  '{ name: mean_7d, entity: customer, op: mean, of: amountMinor, window: 7d, current: false }'

const cases: readonly Case[] = [
  {
    title: 'a name that is not kebab-case',
    change: ['pipeline: small', 'pipeline: Card_Fraud'],
    faults: ['1:11  pipeline  found "Card_Fraud", expected a name in kebab-case'],
  },
  {
    title: 'an unknown key, with the nearest known one',
    change: ['policy: {', 'polizy: {'],
    faults: [
      '1:1  (file)  found only pipeline, topics, entities, features, model, polizy, expected the key policy',
      '16:1  polizy  found unknown key "polizy", expected one of pipeline, topics',
    ],
  },
  {
    title: 'a list where a map belongs',
    change: ['policy: { review: 0.4, block: 0.8 }', 'policy: [0.4, 0.8]'],
    faults: ['16:9  policy  found a list, expected a map with review and block'],
  },
  {
    title: 'an empty section',
    change: ['policy: { review: 0.4, block: 0.8 }', 'policy:'],
    faults: ['16:8  policy  found nothing, expected a map with review and block'],
  },
  {
    title: 'a topic under two names',
    change: ['transactions: tx,', 'transactions: tx, scored: tx,'],
    faults: ['2:37  topics.scored  found "tx", the name of transactions too'],
  },
  {
    title: 'a topic that Kafka cannot name',
    change: ['labels: tx.labels', 'labels: "tx labels"'],
    faults: ['2:37  topics.labels  found "tx labels", expected a Kafka topic name'],
  },
  {
    title: 'fields without what every pipeline has',
    change: [
      'entities:',
      'input: { transactions: { fields: { customerId: c, terminalId: t, channel: h, amountMinor: { currency: EUR } } } }\nentities:',
    ],
    faults: [
      '3:26  input.transactions.fields  found only customerId, terminalId, channel, amountMinor, expected the field transactionId',
      '3:26  input.transactions.fields  found only customerId, terminalId, channel, amountMinor, expected the field eventTime',
    ],
  },
  {
    title: 'money without a currency, an unknown currency, and keys of other types',
    change: [
      'entities:',
      'input: { transactions: { fields: { transactionId: id, eventTime: at, customerId: c, terminalId: t, channel: h, amountMinor: { type: money }, a: { path: b, currency: EURO }, d: { zone: Mars/Olympus }, e: { type: text, unit: s }, f: { path: "x[y" } } } }\nentities:',
    ],
    faults: [
      '3:125  input.transactions.fields.amountMinor  found money without a currency, expected an ISO 4217 code',
      '3:166  input.transactions.fields.a.currency  found "EURO", expected an ISO 4217 code',
      '3:185  input.transactions.fields.d.zone  found "Mars/Olympus", expected an IANA time zone',
      '3:224  input.transactions.fields.e.unit  found unit of a text field, expected no such key',
      '3:240  input.transactions.fields.f.path  found "x[y", expected a dot or [n] at character',
    ],
  },
  {
    title: 'a key field that does not exist',
    change: ['key: [customerId]', 'key: [customerID]'],
    faults: ['4:21  entities.customer.key[0]  found unknown field "customerID"'],
  },
  {
    title: 'a key field that no key is made of',
    change: [
      'entities:\n  customer: { key: [customerId] }',
      'input: { transactions: { fields: { transactionId: id, eventTime: at, customerId: c, terminalId: t, channel: h, amountMinor: { currency: EUR }, r: { type: number } } } }\nentities:\n  customer: { key: [amountMinor, r] }',
    ],
    faults: [
      '5:34  entities.customer.key[1]  found the number field r, expected a text or integer field',
    ],
  },
  {
    title: 'the name of an entity',
    change: ['  pair: {', '  Pair: {'],
    faults: [
      '5:3  entities.Pair  found "Pair", expected a name of lower-case letters',
      '13:31  features[6].entity  found unknown entity "pair", expected one of customer, Pair, did you mean Pair',
    ],
  },
  {
    title: 'a feature without a kind',
    change: [amountLine, '{ name: amount }'],
    faults: ['7:5  features[0]  found only name, expected one of field, calendar, op or ratio'],
  },
  {
    title: 'a misspelled kind of feature',
    change: ['ratio: [amount, mean_7d]', 'rato: [amount, mean_7d]'],
    faults: [
      '14:5  features[7]  found only name, rato, absent, expected one of field, calendar, op or ratio',
      '14:22  features[7].rato  found unknown key "rato", expected one of name, field, scale, equals, in, absent, did you mean ratio',
    ],
  },
  {
    title: 'a text where a feature belongs',
    change: [amountLine, 'amount'],
    faults: ['7:5  features[0]  found "amount", expected a feature: a map with name and one of'],
  },
  {
    title: 'an unknown field, op and entity in one feature',
    change: [meanLine, '{ name: mean_7d, entity: custmer, op: maen, of: amoutMinor, window: 7d }'],
    faults: [
      '11:30  features[4].entity  found unknown entity "custmer", expected one of customer, pair, did you mean customer',
      '11:43  features[4].op  found "maen", expected one of count, sum, mean',
      '11:53  features[4].of  found unknown field "amoutMinor"',
    ],
  },
  {
    title: 'a number that is not in minor units',
    change: ['scale: 0.01', 'scale: 0'],
    faults: ['7:48  features[0].scale  found the number 0, expected a number above 0'],
  },
  {
    title: 'a text field as a number',
    change: ['field: amountMinor', 'field: currency'],
    faults: [
      '7:28  features[0].field  found the currency field currency, expected a number field, add equals or in',
    ],
  },
  {
    title: 'a time field as a number',
    change: ['field: amountMinor', 'field: eventTime'],
    faults: [
      '7:28  features[0].field  found the time field eventTime, expected a number field, use calendar',
    ],
  },
  {
    title: 'a number field compared with texts',
    change: ['field: channel,', 'field: amountMinor,'],
    faults: ['8:31  features[1].field  found the money field amountMinor compared with a text'],
  },
  {
    title: 'a flag with a scale, by equals and in at once',
    change: ['in: [online, app]', 'in: [online], equals: app, scale: 2'],
    faults: [
      '8:40  features[1].in  found both equals and in, expected one of them',
      '8:67  features[1].scale  found scale on a flag, expected no scale',
    ],
  },
  {
    title: 'a text that YAML reads as a number',
    change: ['in: [online, app]', 'in: [5411, online]'],
    faults: [
      '8:45  features[1].in[0]  found the number 5411, expected a text, put it in quotes: "5411"',
    ],
  },
  {
    title: 'an hour that is none',
    change: ['hours: [22, 5]', 'hours: [22, 24]'],
    faults: ['9:47  features[2].calendar.hours[1]  found the number 24, expected an hour between'],
  },
  {
    title: 'an unknown calendar',
    change: ['calendar: { hours: [22, 5] }', 'calendar: weekends'],
    faults: [
      '9:33  features[2].calendar  found "weekends", expected one of weekend, hour_of_day, day_of_week, did you mean weekend',
    ],
  },
  {
    title: 'a duration without a unit, and one out of range',
    change: ['windows: [1m, 30d]', 'windows: [30, 30s, 401d]'],
    faults: ['10:70  features[3].windows[0]  found the number 30, expected a duration such as'],
  },
  {
    title: 'a window that is too short',
    change: ['windows: [1m, 30d]', 'windows: [1m, 59s]'],
    faults: ['10:74  features[3].windows[1]  found "59s", expected a window from 1m to 400d'],
  },
  {
    title: 'a window and a delay that are too long',
    change: ['window: 7d, delay: 7d', 'window: 401d, delay: 401d'],
    faults: [
      '13:61  features[6].window  found "401d", expected a window from 1m to 400d',
      '13:74  features[6].delay  found "401d", expected a delay up to 400d',
    ],
  },
  {
    title: 'a window that stands twice',
    change: ['windows: [1m, 30d]', 'windows: [1m, 1m]'],
    faults: ['10:74  features[3].windows[1]  found "1m" a second time, expected each item once'],
  },
  {
    title: 'several windows under one name',
    change: ['"count_{window}"', 'customer_count'],
    faults: [
      '10:13  features[3].name  found "customer_count" for 2 windows, expected a name with {window}',
    ],
  },
  {
    title: 'a name with {window} and no window',
    change: ['name: since_last', 'name: "since_{window}"'],
    faults: [
      '12:13  features[5].name  found {window} without a window, expected window or windows',
    ],
  },
  {
    title: 'window and windows',
    change: ['windows: [1m, 30d]', 'windows: [1m, 30d], window: 1m'],
    faults: ['10:60  features[3].windows  found both window and windows, expected one of them'],
  },
  {
    title: 'an op that needs a window',
    change: ['window: 7d, current', 'current'],
    faults: ['11:44  features[4].op  found mean without a window, expected window or windows'],
  },
  {
    title: 'an entity without any window to take over',
    change: ['op: fraud_rate, window: 7d, delay: 7d', 'op: last, of: amountMinor'],
    faults: [
      '13:41  features[6].op  found last without a window, expected window, as no other feature of pair',
    ],
  },
  {
    title: 'an op without of',
    change: ['of: amountMinor, ', ''],
    faults: ['11:44  features[4].op  found mean without of, expected of: an integer field'],
  },
  {
    title: 'an op that takes no field',
    change: ['op: count,', 'op: count, of: amountMinor,'],
    faults: ['10:60  features[3].of  found of with the op count, expected no of'],
  },
  {
    title: 'a sum of texts',
    change: ['of: amountMinor', 'of: terminalId'],
    faults: [
      '11:54  features[4].of  found mean of the text field terminalId, expected a money or integer field, op: distinct counts',
    ],
  },
  {
    title: 'current: true where it is always false',
    change: ['absent: -1', 'current: true'],
    faults: [
      '12:76  features[5].current  found true with the op seconds_since_last, expected false',
    ],
  },
  ...(['stddev', 'distinct', 'last'] as const).map(
    (op) =>
      ({
        title: `a tail with the op ${op}`,
        change: [
          'op: mean, of: amountMinor, window: 7d, ',
          `op: ${op}, of: amountMinor, window: 7d, tail: 1h, `,
        ],
        faults: [
          `11:${op.length + 75}  features[4].tail  found tail with the op ${op}, expected no tail: ${op} looks at single`,
        ],
      }) as const,
  ),
  {
    title: 'a tail with the op seconds_since_last',
    change: ['absent: -1', 'delay: 1h, tail: 1h'],
    faults: [
      '12:78  features[5].tail  found tail with the op seconds_since_last, expected no tail',
    ],
  },
  {
    title: 'a tail that is too short',
    change: ['windows: [1m, 30d]', 'windows: [1m, 30d], tail: 999ms'],
    faults: ['10:86  features[3].tail  found "999ms", expected a tail from 1s to 30d'],
  },
  {
    title: 'a tail that is longer than one of the windows',
    change: ['windows: [1m, 30d]', 'windows: [1h, 30d], tail: 61m'],
    faults: [
      '10:86  features[3].tail  found "61m", longer than the window 1h, expected a tail up to the length of the window, write 1h as',
    ],
  },
  {
    title: 'a tail that is too long, whatever the window',
    change: ['op: seconds_since_last, absent: -1', 'op: seconds_since_first, tail: 31d'],
    faults: ['12:74  features[5].tail  found "31d", expected a tail from 1s to 30d'],
  },
  {
    title: 'a tail that makes too many tiles with the delay',
    change: ['window: 7d, delay: 7d', 'window: 7d, delay: 7d, tail: 20m'],
    faults: [
      '13:82  features[6].tail  found "20m": 1008 tiles for a window with delay of 14d, expected at most 1000 tiles, 21m is enough',
    ],
  },
  {
    title: 'a tail beside a window out of range, once',
    change: ['windows: [1m, 30d]', 'windows: [30s, 900d], tail: 1m'],
    faults: ['10:70  features[3].windows[0]  found "30s", expected a window from 1m to 400d'],
  },
  {
    title: 'fraud_rate without labels',
    change: ['labels: tx.labels', 'labels: none'],
    faults: [
      '13:41  features[6].op  found fraud_rate with topics.labels none, expected a labels topic',
    ],
  },
  {
    title: 'fraud_rate by a field that labels do not carry',
    change: ['key: [customerId, terminalId]', 'key: [customerId, currency]'],
    faults: ['13:41  features[6].op  found fraud_rate by currency, which labels do not carry'],
  },
  {
    title: 'a fraud op with a field, with its own transaction, by a key that labels lack',
    change: [
      'key: [customerId, terminalId] }\nfeatures:',
      'key: [currency] }\nfeatures:\n  - { name: bad, entity: pair, op: seconds_since_last_fraud, of: amountMinor, current: true }',
    ],
    faults: [
      '7:36  features[0].op  found seconds_since_last_fraud by currency, which labels do not carry',
      '7:62  features[0].of  found of with the op seconds_since_last_fraud, expected no of',
      '7:88  features[0].current  found true with the op seconds_since_last_fraud, expected false: it never looks at the transaction itself',
      '14:41  features[7].op  found fraud_rate by currency, which labels do not carry',
    ],
  },
  {
    title: 'a feature name that stands twice',
    change: ['name: is_online', 'name: amount'],
    faults: ['8:13  features[1].name  found the name "amount" a second time'],
  },
  {
    title: 'a ratio with an unknown and a later feature',
    change: [amountLine, `{ name: early, ratio: [amuont, mean_7d] }\n  - ${amountLine}`],
    faults: [
      '7:28  features[0].ratio[0]  found unknown feature "amuont", expected the name of a feature above',
      '7:36  features[0].ratio[1]  found "mean_7d", which is not above, expected',
    ],
  },
  {
    title: 'too many features',
    change: [
      '"count_{window}", entity: customer, op: count, windows: [1m, 30d]',
      `"count_{window}", entity: customer, op: count, windows: [${Array.from(
        { length: limits.featuresMax },
        (_, index) => `${index + 1}h`,
      ).join(', ')}]`,
    ],
    faults: [
      `6:1  features  found ${limits.featuresMax + 7} features, expected at most ${limits.featuresMax}`,
    ],
  },
  {
    title: 'too many entities',
    change: [
      'entities:\n',
      `entities:\n${Array.from({ length: limits.entitiesMax }, (_, index) => `  e${index}: { key: [customerId] }\n`).join('')}`,
    ],
    faults: [
      `3:1  entities  found ${limits.entitiesMax + 2}, expected at most ${limits.entitiesMax}`,
    ],
  },
  {
    title: 'a version that YAML reads as a number',
    change: ['version: "1"', 'version: 1.10'],
    faults: [
      '15:32  model.version  found the number 1.1, expected a version in quotes, such as "1", put it in quotes',
    ],
  },
  {
    title: 'an alias of a model in a folder',
    change: ['version: "1"', 'version: "@champion"'],
    faults: [
      '15:8  model  found the alias "@champion" of a model in a folder, expected a version, or source: mlflow',
    ],
  },
  {
    title: 'a challenger that is the champion',
    change: ['version: "1" }', 'version: "1", challengers: [{ version: "1" }] }'],
    faults: ['15:51  model.challengers[0]  found small 1 a second time, expected each model once'],
  },
  {
    title: 'the long form of a model without its version',
    change: ['model: { name: small, version: "1" }', 'model: { champion: { name: small } }'],
    faults: ['15:20  model.champion  found only name, expected the key version'],
  },
  {
    title: 'block below review',
    change: ['review: 0.4', 'review: 0.9'],
    faults: ['16:31  policy.block  found 0.8, below review (0.9), expected block >= review'],
  },
  {
    title: 'a score above 1',
    change: ['block: 0.8', 'block: 80'],
    faults: ['16:31  policy.block  found the number 80, expected a share between 0 and 1'],
  },
  {
    title: 'lists of an unknown entity, with half a key, and with a contradiction',
    change: [
      'block: 0.8 }',
      'block: 0.8, deny: { pair: [a, "a|b"], tarminal: [x] }, allow: { pair: ["a|b"] } }',
    ],
    faults: [
      '16:51  policy.deny.pair[0]  found "a", expected customerId and terminalId joined by |',
      '16:62  policy.deny.tarminal  found unknown entity "tarminal", expected one of customer, pair',
      '16:95  policy.allow.pair[0]  found "a|b", which policy.deny lists too',
    ],
  },
  {
    title: 'unknown providers and the wrong order of things',
    change: ['policy:', 'execution: { providers: [gpu], workers: 0, require: yes }\npolicy:'],
    faults: [
      '16:26  execution.providers[0]  found "gpu", expected one of cuda, webgpu, cpu',
      '16:41  execution.workers  found the number 0, expected a whole number between 1 and 64',
      '16:53  execution.require  found "yes", expected true or false',
    ],
  },
  {
    title: 'a remote model that is waited for too long, and what is no part of it',
    change: ['policy:', 'execution: { remote: { timeout: 1m, requestRows: 1, url: x } }\npolicy:'],
    faults: [
      '16:33  execution.remote.timeout  found 1m, expected 1ms to 30s',
      '16:50  execution.remote.requestRows  found the number 1, expected a whole number between 2 and',
      '16:53  execution.remote.url  found unknown key "url", expected one of model, version, timeout',
    ],
  },
  {
    title: 'a retention shorter than the longest window',
    change: ['policy:', 'store: { retention: 30d }\npolicy:'],
    faults: ['16:21  store.retention  found 30d, expected at least 43210m (longest window'],
  },
  {
    title: 'a key that stands twice',
    change: ['policy:', 'pipeline: again\npolicy:'],
    faults: ['16:1  (yaml)  found "pipeline" a second time, expected each key once in its map'],
  },
  {
    title: 'broken YAML',
    change: ['scale: 0.01 }', 'scale: 0.01'],
    faults: ['8:3  (yaml)  found '],
  },
  {
    title: 'an alias to nothing',
    change: ['review: 0.4', 'review: *threshold'],
    faults: ['16:19  (yaml)  found '],
  },
]

const linesOf = (text: string): readonly string[] =>
  readPipelineText(text).faults.map(
    (fault) => `${fault.position.line}:${fault.position.column}  ${formatFault(fault)}`,
  )

describe('pipeline file', () => {
  test.each(cases)('pipeline file - reports $title', ({ change, faults }) => {
    const lines = linesOf(textWith(change))
    const beginnings = lines.map((line, index) => line.slice(0, faults[index]?.length ?? 200))
    expect(beginnings).toEqual(faults)
  })

  test('pipeline file - reports the faults of all sections at once, in their order', () => {
    const text = textWith(
      ['pipeline: small', 'pipeline: Small'],
      ['field: amountMinor', 'feild: amountMinor'],
      ['op: mean', 'op: maen'],
      ['current: false', 'current: no'],
      ['ratio: [amount,', 'ratio: [amuont,'],
      ['block: 0.8', 'block: 0.3'],
    )
    expect(linesOf(text).map((line) => line.split('  ').slice(0, 2).join(' '))).toEqual([
      '1:11 pipeline',
      '7:5 features[0]',
      '7:21 features[0].feild',
      '11:44 features[4].op',
      '11:88 features[4].current',
      '14:30 features[7].ratio[0]',
      '16:31 policy.block',
    ])
  })

  test('pipeline file - reports no fault because of another one', () => {
    const unnamed = textWith(['name: amount,', 'nam: amount,'])
    expect(linesOf(unnamed).every((line) => line.includes('features[0]'))).toBe(true)
    const untyped = textWith(['windows: [1m, 30d]', 'windows: 1m'], ['window: 7d, ', ''])
    expect(linesOf(untyped).map((line) => line.split('  ')[1])).toEqual([
      'features[3].windows',
      'features[4].op',
    ])
  })

  test.each(['', '# nothing but a comment\n', 'just text', '[]', '5', '---\na: 1\n---\nb: 2\n'])(
    'pipeline file - refuses %j',
    (text) => {
      const { definition, faults } = readPipelineText(text)
      expect(definition).toBeNull()
      expect(faults.length).toBeGreaterThan(0)
    },
  )

  test('pipeline file - refuses number fields in windows, because sums would not be exact', () => {
    const fields =
      'transactionId: id, eventTime: { path: at, unit: s }, customerId: c, terminalId: t, ' +
      'channel: ch, amountMinor: { path: amt, type: number }'
    const input = `input: { transactions: { fields: { ${fields} } } }`
    const { faults } = readPipelineText(textWith(['entities:', `${input}\nentities:`]))
    expect(faults.map(formatFault)).toEqual([
      'features[4].of  found mean of the number field amountMinor, expected a money or integer field, because window arithmetic is over whole numbers, declare it as money or integer',
    ])
  })
})
