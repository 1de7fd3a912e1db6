// `weir models`: the one group that the commands about models stand in, made by whoever comes
// first.

import type { Command } from 'commander'

export const modelsGroup = (program: Command): Command =>
  program.commands.find((command) => command.name() === 'models') ??
  program
    .command('models')
    .description('the life of a model: gates, roster, signatures, registries, inference servers')
