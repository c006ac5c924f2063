/** Answers what the routers ask on behalf of operators. Main thread only. */
import { unreachable } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import type {
  AdminAnswer,
  AdminQuestion,
  ClusterStats,
  ReloadReport,
  Victim,
} from '../rpc/admin-operations.js';
import type { OperatorWork } from './operator-work.js';

/** What the desk asks of the cluster. */
export interface AdminSource {
  adminStats(): ClusterStats;
  /** Whether operators may break things on purpose. */
  readonly isChaosAllowed: boolean;
  /** Undefined in a cluster without a disk of its own, as in simulations. */
  readonly work?: OperatorWork | undefined;
  /** Reads the configuration again; throws when it cannot be used. */
  reload(): ReloadReport;
  /** Resolves when the thread is gone. */
  killWorker(victim: Victim): Promise<void>;
}

const CHAOS_IS_OFF =
  'Workers are killed only on a server that runs with admin.chaos = true ' +
  '(STORMKV_ADMIN_CHAOS=true); never set it where people rely on the service';

function workOf({ work }: AdminSource): OperatorWork {
  if (work !== undefined) return work;
  throw new StormError('UNIMPLEMENTED', 'This cluster has no such work');
}

/** Never rejects: what goes wrong is an answer too. */
export async function answerAdmin(
  question: AdminQuestion,
  source: AdminSource,
): Promise<AdminAnswer> {
  try {
    return await answer(question, source);
  } catch (error) {
    const code = error instanceof StormError ? error.code : 'INTERNAL';
    return { kind: 'failed', code, message: messageOf(error) };
  }
}

/** Async, because answers that take a while are to come. */
async function answer(question: AdminQuestion, source: AdminSource): Promise<AdminAnswer> {
  switch (question.kind) {
    case 'stats':
      return { kind: 'stats', stats: source.adminStats() };
    case 'kill':
      if (!source.isChaosAllowed) throw new StormError('FAILED_PRECONDITION', CHAOS_IS_OFF);
      await source.killWorker(question.victim);
      return { kind: 'kill' };
    case 'backup':
      return { kind: 'backup', task: workOf(source).backup(question.request) };
    case 'scrub':
      return { kind: 'scrub', task: workOf(source).scrub() };
    case 'reload':
      return { kind: 'reload', report: source.reload() };
    case 'task':
      return { kind: 'task', task: workOf(source).status(question.id) };
    default:
      return unreachable(question, 'question of a router');
  }
}
