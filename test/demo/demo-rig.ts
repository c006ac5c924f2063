/** A server that lives in this process, for tests of the demo's parts: its "disk" is a map. */
import { StormError } from '../../src/base/errors.js';
import type { Door } from '../../src/demo/door.js';
import type { OpenDoors } from '../../src/demo/open-doors.js';
import type { Progress } from '../../src/demo/progress.js';
import type { Question, Questionnaire } from '../../src/demo/questionnaire.js';
import { type Server, ServerSession } from '../../src/demo/server-session.js';

export interface FakeStore {
  /** What has been acknowledged, or is about to be. */
  stored: Map<string, Buffer>;
  /** Which protocol wrote and read each key last. */
  putBy: Map<string, string>;
  gotBy: Map<string, string>;
  /** Signals that the server's lives ended with. */
  signals: string[];
  starts: number;
  /** Called in the moment of a SIGKILL, before the next life: a place for planted bugs. */
  onCrash: (stored: Map<string, Buffer>) => void;
  /** Every so many puts are applied, but their answer is lost. */
  loseReplyEvery: number;
  /** Ends the present life from outside. */
  dieByItself(code: number): void;
}

export interface FakeRig {
  store: FakeStore;
  session: ServerSession;
}

export function fakeRig(): FakeRig {
  let end = (_code: number | null, _signal: string | null): void => {};
  let puts = 0;
  const store: FakeStore = {
    stored: new Map(),
    putBy: new Map(),
    gotBy: new Map(),
    signals: [],
    starts: 0,
    onCrash: () => {},
    loseReplyEvery: 0,
    dieByItself: (code) => end(code, null),
  };
  const startServer = (): Promise<Server> => {
    store.starts++;
    let resolveEnd = (_end: Awaited<Server['ended']>): void => {};
    const ended = new Promise<Awaited<Server['ended']>>((resolve) => {
      resolveEnd = resolve;
    });
    end = (code, signal) => resolveEnd({ code, signal, lastWords: 'last words' });
    return Promise.resolve({
      info: {
        grpcAddress: `grpc:${store.starts}`,
        httpAddress: `http:${store.starts}`,
        shardCount: 3,
        recoveredRecords: store.stored.size,
        startedMs: 7,
      },
      ended,
      end(signal) {
        store.signals.push(signal);
        if (signal === 'SIGKILL') store.onCrash(store.stored);
        end(signal === 'SIGTERM' ? 0 : null, signal);
        return ended;
      },
    });
  };
  const openDoors = (): OpenDoors => {
    const life = store.starts;
    let isOpen = true;
    const door = (protocol: string): Door => ({
      async put(key, value) {
        await turnOfLoop();
        if (!isOpen || life !== store.starts) throw new StormError('UNAVAILABLE', 'dead');
        store.stored.set(key, value);
        store.putBy.set(key, protocol);
        puts++;
        if (store.loseReplyEvery > 0 && puts % store.loseReplyEvery === 0) {
          throw new StormError('UNAVAILABLE', 'the reply is lost', { outcome: 'unknown' });
        }
      },
      async get(key) {
        await turnOfLoop();
        if (!isOpen) throw new StormError('UNAVAILABLE', 'dead');
        store.gotBy.set(key, protocol);
        return store.stored.get(key);
      },
    });
    const close = () => {
      isOpen = false;
    };
    return { grpc: door('grpc'), http: door('http'), close };
  };
  let nowMs = 0;
  const monotonicMs = () => nowMs++;
  return { store, session: new ServerSession({ startServer, openDoors, monotonicMs }) };
}

export function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function silentProgress(): Progress & { said: string[]; steps: number } {
  const progress = {
    said: [] as string[],
    steps: 0,
    begin() {},
    advance: () => void progress.steps++,
    say: (message: string) => void progress.said.push(message),
    end() {},
    close() {},
  };
  return progress;
}

export function question(linkId: string, changes: Partial<Question> = {}): Question {
  return {
    linkId,
    type: 'string',
    text: linkId,
    required: true,
    repeats: false,
    conditional: false,
    options: [],
    lengthMax: undefined,
    min: undefined,
    max: undefined,
    unit: undefined,
    ...changes,
  };
}

/** A form whose questions are all answered. */
export function formOf(count: number): Questionnaire {
  return { title: 'A form', questions: Array.from({ length: count }, (_, i) => question(`q${i}`)) };
}
