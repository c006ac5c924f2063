/** A principal's operations in front of a fake cluster, and the audit lines that come of them. */
import { createHash } from 'node:crypto';
import { StormError } from '../../src/base/errors.js';
import { AuditTrail } from '../../src/router/audit-trail.js';
import { SecureAccess } from '../../src/router/secure-access.js';
import type { Desk } from '../../src/router/supervisor-calls.js';
import type { Credentials } from '../../src/rpc/access.js';
import type { AuditRecord, AuditSettings } from '../../src/rpc/audit.js';
import type { Grant, PrincipalSettings } from '../../src/rpc/door-security.js';
import { type Rig, rig } from './operations-rig.js';

export const tokenOf = (name: string) => `skv_${name.padEnd(43, '0')}`;
export const hashOf = (name: string) => createHash('sha256').update(tokenOf(name)).digest('hex');

export function principal(name: string, ...grants: Grant[]): PrincipalSettings {
  const hashes = { tokenHashes: [hashOf(name)], commonNames: [], fingerprints: [] };
  return { name, disabled: false, ...hashes, grants };
}

export interface SecureRig {
  store: Rig;
  access: SecureAccess;
  lines: AuditRecord[];
  /** Questions that reached the main thread. */
  asked: string[];
  /** As whom the calls behind are made. */
  callers: (string | undefined)[];
}

export interface SecureRigOptions extends Partial<AuditSettings> {
  metricsPublic?: boolean;
}

export function secureRig(
  principals: readonly PrincipalSettings[] | undefined,
  { writes = false, keys = false, metricsPublic = false }: SecureRigOptions = {},
): SecureRig {
  const store = rig();
  const lines: AuditRecord[] = [];
  const asked: string[] = [];
  const callers: (string | undefined)[] = [];
  const desk: Desk = {
    ask(question, _timeoutMs, done) {
      asked.push(question.kind);
      done(new StormError('UNIMPLEMENTED', 'no main thread here'), undefined);
    },
  };
  const note = <T>(value: T, { principal }: Credentials): T => {
    callers.push(principal);
    return value;
  };
  const access = new SecureAccess({
    inner: {
      kv: (credentials) => note(store.cluster.router, credentials),
      desk: (credentials) => note(desk, credentials),
    },
    principals,
    trail: new AuditTrail({ write: (record) => lines.push(record), after: () => {} }),
    audit: { writes, keys },
    metricsPublic,
  });
  return { store, access, lines, asked, callers };
}

export function as(name: string): Credentials {
  const authorization = `Bearer ${tokenOf(name)}`;
  return { door: 'grpc', peer: '127.0.0.1', authorization, certificate: undefined };
}
