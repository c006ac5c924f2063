/** Answers what the routers ask on behalf of operators. Main thread only. */
import { unreachable } from '../base/assert.js';
import { messageOf, StormError } from '../base/errors.js';
import type { AdminAnswer, AdminQuestion, ClusterSituation } from '../rpc/admin-operations.js';

/** What the desk asks of the cluster. */
export interface AdminSource {
  situation(): ClusterSituation;
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
      return { kind: 'stats', situation: source.situation() };
    default:
      return unreachable(question.kind, 'question of a router');
  }
}
