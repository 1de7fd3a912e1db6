// Worlds that found something: each stays, so that what was mended stays mended.
//
// A seed leads to its fault only on the code that has it: once it is mended, the calls of that
// world are others from there on. What is kept is the way up to it.

export type Finding = {
  readonly world: 'scoring' | 'rollout' | 'replay'
  readonly seeds: readonly number[]
  /** What the world came to before it was mended. */
  readonly was: string
}

export const findings: Readonly<Record<string, Finding>> = {
  'a batch that fails for ever ends the process, by its code': {
    world: 'scoring',
    seeds: [26, 75, 98, 104, 135],
    was: 'every run of the model failed, lanes were claimed again and again, for ever and in silence',
  },
  'a consumer that crashes is a rejoin': {
    world: 'scoring',
    seeds: [1533, 20123, 22762, 40522, 41953],
    was: 'pause, resume or seek threw while kafkajs had no group, and nobody handled it',
  },
  'a claim on its way when a scorer is told to stop ends with it': {
    world: 'scoring',
    seeds: [20037, 23295, 40862, 44145],
    was: 'the claim went on after the drain had given up waiting, and its seek met a stopped consumer',
  },
  'a vector that the model makes NaN of costs one event': {
    world: 'scoring',
    seeds: [36, 42, 53, 63, 66],
    was: 'all lanes of the process failed with it, again and again',
  },
  'a record that the brokers refuse costs one event': {
    world: 'scoring',
    seeds: [39, 55, 60, 115, 167],
    was: 'the transaction was tried again for ever',
  },
  'a defect in asking for schemas ends the process': {
    world: 'scoring',
    seeds: [51, 65, 100, 146, 147],
    was: 'a TypeError was taken for a registry that is away, and asked again for ever',
  },
  'lanes of a member whose SyncGroup was not answered have an owner': {
    world: 'scoring',
    seeds: [840, 1322, 21003, 40835, 41040],
    was: 'kafkajs kept the assignment of the last generation and never joined again: no lanes, no word',
  },
  'a store that restarts while lanes are claimed together is found whole again': {
    world: 'scoring',
    seeds: [827, 1241, 20634, 40354, 41324],
    was: 'lanes that had confirmed waited for those that had not, which waited for them to speak again',
  },
  'a lane that somebody else took while systems were away ends no process': {
    world: 'scoring',
    seeds: [23290, 40332, 42236],
    was: 'attempts against systems that were away counted as attempts to be fenced: exit 1',
  },
  'evidence is the same however often it is read': {
    world: 'rollout',
    seeds: [5, 6, 7, 25, 61, 71],
    was: 'minutes were given twice, and runs counted more than once',
  },
  'what was aborted is not read': {
    world: 'rollout',
    seeds: [3, 9, 14, 17, 18],
    was: 'kafkajs handed out a record of an aborted transaction: an event that never was counted',
  },
  'a rollout whose consumer crashes goes on': {
    world: 'rollout',
    seeds: [79, 144, 176, 216, 316],
    was: 'seek threw while kafkajs had no group, and ended the service',
  },
  'readers that cannot begin say so by a code': {
    world: 'rollout',
    seeds: [22, 24, 37, 46, 69],
    was: "kafkajs' own errors ended the service",
  },
  'a replay that cannot begin says so by a code': {
    world: 'replay',
    seeds: [206, 378, 401, 409, 549],
    was: "kafkajs' own error ended the replay",
  },
}
