/**
 * The generator's command: `files`, `kafka` and `prefill`.
 *
 * In: long flags, one per knob. Out: files or messages; at the end one line of JSON with the counts
 * on stdout, progress before it on stderr. Refused: unknown flags and values out of range, with
 * exit code 2 and what was expected.
 */
import { Command, InvalidArgumentError, Option } from 'commander'
import { exitCodeOf, isTold, throwOnExit } from '../../services/core/exit-code.ts'
import { readIsoTime } from '../../services/core/iso-time.ts'
import { runFiles, runKafka, runPrefill } from './commands.ts'
import { fileFormats } from './file-sink.ts'

function toNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('expected a number')
  return value
}

function toTimeMs(text: string): number {
  const timeMs = readIsoTime(text)
  if (timeMs === null) throw new InvalidArgumentError('expected a time such as 2026-01-01')
  return timeMs
}

const list = (text: string) => text.split(',')

function addWorld(command: Command): Command {
  return command
    .option('--seed <number>', 'the world and all that happens in it', toNumber)
    .option('--customers <number>', '5000 unless given', toNumber)
    .option('--terminals <number>', '10000 unless given', toNumber)
    .option('--transactions-per-customer-per-day <number>', '2 unless given', toNumber)
    .option('--fraud-share <share>', 'of all transactions, 0.007 unless given', toNumber)
    .option('--hot-terminal-share <share>', 'of all traffic, to terminal 0', toNumber)
    .option('--fraud-label-share <share>', 'of the frauds, 0.95 unless given', toNumber)
    .option('--genuine-label-share <share>', 'of the genuine transactions', toNumber)
    .option('--label-delay-mean-days <days>', '5 unless given', toNumber)
    .option('--start <time>', 'first event time, such as 2026-01-01', toTimeMs)
    .option('--days <days>', '31 unless given', toNumber)
    .option('--count <number>', 'at most so many transactions', toNumber)
}

function addKafka(command: Command): Command {
  return addWorld(command)
    .addOption(
      new Option('--brokers <list>', 'host:port,...').argParser(list).makeOptionMandatory(),
    )
    .requiredOption('--topic <name>', 'the transactions topic')
    .option('--labels-topic <name>', 'labels are left out without it')
    .option('--registry <url>', 'where to ask for the schema ids')
    .option('--schema-id <id>', 'instead of asking the registry', toNumber)
    .option('--labels-schema-id <id>', 'instead of asking the registry', toNumber)
    .option('--late-share <share>', 'of the transactions', toNumber)
    .option('--lateness-mean-ms <ms>', '300000 unless given', toNumber)
    .option('--duplicate-share <share>', 'of the transactions', toNumber)
    .option('--duplicate-delay-mean-ms <ms>', '60000 unless given', toNumber)
    .option('--poison-share <share>', 'on top of the transactions', toNumber)
    .option('--huge-bytes <bytes>', 'size of the huge poison, 1000000 unless given', toNumber)
}

const program = new Command('generator').description('simulates card transactions and labels')

addWorld(program.command('files').description('writes transactions, labels and the truth'))
  .requiredOption('--out <folder>', 'made if it is not there')
  .addOption(new Option('--format <format>').choices(fileFormats).default('parquet'))
  .action(runFiles)
addKafka(program.command('kafka').description('sends in open loop'))
  .option('--rate <number>', 'messages per second', toNumber)
  .option('--speed-up <factor>', 'of event time over the wall clock', toNumber)
  .option('--seconds <number>', 'how long', toNumber)
  .option('--tick-ms <ms>', 'how often due messages are collected, 5 unless given', toNumber)
  .action(runKafka)
addKafka(program.command('prefill').description('sends as fast as possible')).action(runPrefill)

throwOnExit(program)
try {
  await program.parseAsync()
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  const detail = error instanceof Error ? error.message : String(error)
  if (!isTold(error)) process.stderr.write(`${detail} ${cause}\n`)
  // Knobs that are out of range, or do not fit each other.
  process.exitCode = error instanceof RangeError ? 2 : exitCodeOf(error)
}
