// Names that Kubernetes puts into every container for a Service of the namespace ("service links").
//
// For a Service called weir-scorer, upper-cased and with _ for -, the kubelet sets
//
//     WEIR_SCORER_SERVICE_HOST, _SERVICE_PORT, _SERVICE_PORT_<NAME OF A PORT>
//     WEIR_SCORER_PORT                                  tcp://10.96.0.7:9464
//     WEIR_SCORER_PORT_9464_TCP, ..._PROTO, ..._PORT, ..._ADDR
//
// In: an environment, one name of it. Out: whether the name is such a one. Invariant: no setting is
// hidden and no typo of one: what ends in _PORT counts only with a link as its value, and a name
// of a setting only where the host of the Service stands beside it.

/** Endings that no setting has: they are told by the name alone. */
const linkNames = [
  /_SERVICE_HOST$/,
  /_SERVICE_PORT(?:_[A-Z0-9_]+)?$/,
  /_PORT_\d{1,5}_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?$/,
]
const portName = /_PORT$/
const linkValue = /^(?:tcp|udp|sctp):\/\/.+:\d{1,5}$/

type Environment = Readonly<Record<string, string | undefined>>

const isPortLink = (name: string, environment: Environment): boolean =>
  portName.test(name) && linkValue.test(environment[name] ?? '')

/** Of a name that is no setting. */
export const isServiceLink = (name: string, environment: Environment): boolean =>
  linkNames.some((pattern) => pattern.test(name)) || isPortLink(name, environment)

/** Of a setting's name: a Service called weir-http sets WEIR_HTTP_PORT. */
export const isHiddenByLink = (name: string, environment: Environment): boolean =>
  isPortLink(name, environment) &&
  environment[name.replace(portName, '_SERVICE_HOST')] !== undefined
