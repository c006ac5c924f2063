/** The life of a load thread: start, report every half second, settle, read back. */
import { messageOf, StormError } from '../base/errors.js';
import { connect } from '../client/client.js';
import { type ClientTimers, systemClientTimers } from '../client/timers.js';
import { Arrivals } from './arrival-curve.js';
import { LoadThread } from './load-thread.js';
import { makeWork } from './make-work.js';
import { Meter, SLOT_MS } from './meter.js';
import { openStormDoor } from './storm-door.js';
import type { FromThread, ThreadSetting, ToThread } from './thread-messages.js';
import { verify } from './verify.js';
import type { Work } from './workload.js';

/** Of all threads, so that what is under way stays some dozens of megabytes. */
const OPEN_ENTRIES_MAX = 200_000;
const VERIFY_DEADLINE_MS = 120_000;

/** Returns what takes the messages of the main thread. */
export function serveLoad(
  setting: ThreadSetting,
  send: (message: FromThread) => void,
  timers: ClientTimers = systemClientTimers,
): (message: ToThread) => void {
  const { share, door: doorOptions } = setting;
  const work = makeWork(share);
  const meter = new Meter(setting.warmUpMs);
  const door = openStormDoor(doorOptions, timers.wallMs);
  const load = new LoadThread({ ...setting, ...loopOf(setting), work, door, meter, timers });
  const fail = (error: unknown) => {
    const code = error instanceof StormError ? error.code : 'INTERNAL';
    send({ kind: 'failed', code, message: messageOf(error) });
  };
  const start = async () => {
    let isOver = false;
    const report = () => {
      if (isOver) return;
      send({ kind: 'interval', report: meter.takeInterval() });
      timers.after(SLOT_MS - (load.nowMs % SLOT_MS), report);
    };
    const settled = load.run();
    timers.after(SLOT_MS, report);
    await settled;
    isOver = true;
    send({ kind: 'interval', report: meter.takeInterval() });
    // Its connections end with the thread, so a stuck one holds up nothing.
    send({ kind: 'done', totals: meter.totals, checkCount: work.checkCount });
  };
  send({ kind: 'ready' });
  return (message) => {
    if (message.kind === 'start') start().catch(fail);
    else if (message.kind === 'stop') load.stop();
    else readBack(doorOptions.targets, work, message.step, send).catch(fail);
  };
}

function loopOf({ share, curve }: ThreadSetting) {
  const { submissions, seed, thread, threads } = share;
  const openEntriesMax = Math.ceil(OPEN_ENTRIES_MAX / threads);
  const arrivals = curve === undefined ? undefined : new Arrivals(curve, submissions, seed);
  return { submissions, thread, threads, openEntriesMax, arrivals };
}

async function readBack(
  endpoints: readonly string[],
  work: Work,
  step: number,
  send: (message: FromThread) => void,
): Promise<void> {
  const kv = connect({ endpoints, deadlineMs: VERIFY_DEADLINE_MS });
  try {
    const onRead = (keys: number) => send({ kind: 'read-back', keys });
    send({ kind: 'verified', verification: await verify(kv, work.checks(step), onRead) });
  } finally {
    await kv.close();
  }
}
