/** Bugs between the parts of the service, which the simulation must find. */
import type { TestRun } from './mutants.js';
import type { PlantedBug } from './planted-bugs.js';

const SIMULATION: TestRun = {
  test: 'test/rigs/simulation.test.js',
  env: { SIM_SEEDS: '30', SIM_SECONDS: '100' },
};
const CALL_ERRORS = 'src/router/call-errors.js';
const IN_FLIGHT = 'src/router/in-flight-table.js';

export const PLANTED_SERVICE_BUGS: readonly PlantedBug[] = [
  {
    title: 'losing a wake-up',
    edits: [{ file: 'src/router/shard-calls.js', find: 'seat.link?.ringShard();', replace: '' }],
    foundBy: SIMULATION,
    because: /was not woken/,
  },
  {
    title: 'a write lost with its shard reported as refused',
    edits: [
      {
        file: CALL_ERRORS,
        find: "const outcome = isWrite ? 'unknown' : 'not-applied';",
        replace: "const outcome = 'not-applied';",
      },
    ],
    foundBy: SIMULATION,
    because: /which was refused|was seen, and then refused/,
  },
  {
    title: 'a write whose deadline passed reported as refused',
    edits: [
      {
        file: CALL_ERRORS,
        find: "const outcome = wasWriteSent ? 'unknown' : 'not-applied';",
        replace: "const outcome = 'not-applied';",
      },
    ],
    foundBy: SIMULATION,
    because: /which was refused|was seen, and then refused/,
  },
  {
    title: 'the place of a call used again before its shard has replied',
    edits: [
      { file: IN_FLIGHT, find: 'this.#states[place] = ANSWERED;', replace: 'this.#free(place);' },
      {
        file: IN_FLIGHT,
        find: 'return this.#callIdOf(place) === callId && this.#shards[place] === shard ? place : -1;',
        replace: 'return place;',
      },
    ],
    foundBy: SIMULATION,
    because: /seed \d+ at commit/,
  },
  {
    title: 'conditions blind to the writes before them in the group',
    edits: [
      { file: 'src/shard/engine.js', find: 'if (index < 0) continue;', replace: 'continue;' },
    ],
    foundBy: SIMULATION,
    because: /the condition \d+ held/,
  },
  {
    title: 'pages of a scan that each see another moment',
    edits: [
      {
        file: 'src/shard/engine.js',
        find: 'snapshot: snapshot.sequence,',
        replace: 'snapshot: NEWEST,',
      },
    ],
    foundBy: SIMULATION,
    because: /is no snapshot/,
  },
  {
    title: 'a new life of a shard while the old one may still write',
    edits: [
      {
        file: 'src/supervisor/shard-state.js',
        find: "? end(state, event.message, [down(event.message), { kind: 'terminate' }])",
        replace: "? spawn(state, [down(event.message), { kind: 'terminate' }])",
      },
    ],
    foundBy: SIMULATION,
    because: /begins while .* lives/,
  },
  {
    title: 'calls that nobody answers when their shard dies',
    edits: [
      {
        file: 'src/router/shard-calls.js',
        find: 'seat.isDirty = false; this.#failCalls(seat);',
        replace: 'seat.isDirty = false;',
      },
    ],
    foundBy: SIMULATION,
    because: /Not within \d+ ms/,
  },
];
