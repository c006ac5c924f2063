/** Questions of one operator: only those who may administer ask them, and acts are audited. */
import type { AdminQuestion } from '../rpc/admin-operations.js';
import type { Authority } from './authority.js';
import type { Ask, Desk } from './supervisor-calls.js';

const NO_KEY = new Uint8Array(0);
/** They change nothing, and are asked again and again. */
const MERE_QUESTIONS: readonly AdminQuestion['kind'][] = ['stats', 'task'];

export class AuthorizedDesk implements Desk {
  readonly #inner: Desk;
  readonly #authority: Authority;

  constructor(inner: Desk, authority: Authority) {
    this.#inner = inner;
    this.#authority = authority;
  }

  readonly ask: Ask = (question, timeoutMs, done) => {
    const operation = question.kind;
    const refusal = this.#authority.refusal(operation, 'admin', NO_KEY);
    if (refusal !== undefined) {
      done(refusal, undefined);
      return;
    }
    this.#inner.ask(question, timeoutMs, (error, answer) => {
      if (!MERE_QUESTIONS.includes(operation)) this.#authority.act('admin', operation, error);
      done(error, answer);
    });
  };
}
