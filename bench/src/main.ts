import { benchmarks } from './benchmarks.ts';
import { runCommand } from './command.ts';

process.exitCode = await runCommand(process.argv.slice(2), benchmarks, {
  print: (line) => void process.stdout.write(`${line}\n`),
  report: (line) => void process.stderr.write(`${line}\n`),
});
