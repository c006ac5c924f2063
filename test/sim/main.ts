/** `npm run sim`: one seed, or a range of them, from the command line. */
import { parseArgs } from 'node:util';
import { runSeeds } from './run-seeds.js';
import { simulate } from './simulation.js';

const OPERATIONS = 5000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: '100' },
    operations: { type: 'string', default: String(OPERATIONS) },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const operations = Number(values.operations);
if (values.seed !== undefined) {
  const print = values.trace ? (line: string) => process.stdout.write(`${line}\n`) : undefined;
  const result = await simulate(Number(values.seed), { operations, print });
  console.log(JSON.stringify(result, undefined, 2));
  process.exitCode = result.violation === undefined ? 0 : 1;
} else {
  const total = await runSeeds(Number(values.from), Number(values.to), { operations });
  process.exitCode = total.lost === 0 ? 0 : 1;
}
