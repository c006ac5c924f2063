/**
 * Who may come in, through real doors of a real cluster: certificates, tokens, rights, rotation,
 * and the audit lines of it all.
 */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { StormError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/system-clock.js';
import { KvClient } from '../../src/cli/kv-client.js';
import { newToken, tokenHash } from '../../src/cli/token-command.js';
import { connect } from '../../src/client/client.js';
import type { Cluster, PartialConfig } from '../../src/main.js';
import type { ClientSecurity } from '../../src/rpc/client-security.js';
import { suite } from '../harness/suite.js';
import { withTempDir } from '../harness/temp-dir.js';
import { makePki, type TestPki } from '../harness/test-pki.js';
import { smallConfig, until, withCluster } from './cluster-rig.js';

const { test, run } = suite('A secured cluster');
const VALUE = Buffer.from('4');

interface Line {
  event: string;
  principal?: string;
  operation?: string;
  outcome?: string;
  reason?: string;
  key?: string;
}

function linesOf(file: string): Line[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Line);
}

/** Waits for an audit line like this. */
async function audited(file: string, wanted: Partial<Line>): Promise<void> {
  const isLike = (line: Line) =>
    Object.entries(wanted).every(([name, value]) => line[name as keyof Line] === value);
  await until(() => linesOf(file).some(isLike));
}

/** As an operator replaces a file: in one step. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/** What a call of that client comes to: `ok`, or the code of the error. */
async function outcomeOf(
  { grpcAddress }: Cluster,
  security: ClientSecurity,
  call: (client: KvClient) => Promise<unknown> = (client) => client.set('{p1}/q', VALUE),
): Promise<string> {
  const client = new KvClient(grpcAddress, 5000, systemClock.wallMs, security);
  try {
    await call(client);
    return 'ok';
  } catch (error) {
    if (error instanceof StormError) return error.code;
    throw error;
  } finally {
    client.close();
  }
}

interface Answer {
  status: number;
  body: string;
}

/** An HTTPS request, whose certificate and token may be wrong. */
function overHttps(
  { httpAddress }: Cluster,
  path: string,
  { ca, cert, key, token }: ClientSecurity,
): Promise<Answer> {
  const [host, port] = httpAddress.split(':');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const pem = { ca: ca as string, ...(cert === undefined ? {} : { cert, key }) } as object;
  return new Promise((resolve, reject) => {
    const options = { host, port, path, headers, agent: false, ...pem };
    const call = request(options, (response) => {
      let body = '';
      response.on('data', (piece) => (body += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}

interface Rig {
  cluster: Cluster;
  pki: TestPki;
  auditFile: string;
  principalsFile: string;
  certFile: string;
  keyFile: string;
}

/** A cluster with TLS; `change` adds to its configuration. */
async function secured(
  principals: object[] | undefined,
  change: PartialConfig,
  body: (rig: Rig) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const pki = makePki(dir);
    if (pki === undefined) return;
    const server = pki.issue('server', 'server');
    const principalsFile = join(dir, 'principals.json');
    const auditFile = join(dir, 'audit.log');
    if (principals !== undefined) writeFileSync(principalsFile, JSON.stringify({ principals }));
    const config: PartialConfig = {
      ...smallConfig(join(dir, 'data')),
      ...change,
      tls: { certFile: server.certFile, keyFile: server.keyFile, ...change.tls },
      security: { filesCheckMs: 20, ...(principals === undefined ? {} : { principalsFile }) },
      audit: { file: auditFile, ...change.audit },
    };
    await withCluster(config, (cluster) =>
      body({ cluster, pki, auditFile, principalsFile, ...server }),
    );
  });
}

const grant = (prefix: string, ...rights: string[]) => ({ rights, prefix });

test('lets in whom a certificate of its own authority names, and nobody else', () =>
  withTempDir(async (dir) => {
    const own = makePki(dir);
    const other = makePki(dir, 'other');
    if (own === undefined || other === undefined) return;
    const principals = [
      {
        name: 'ward',
        certificates: [{ commonName: 'ward' }],
        grants: [grant('', 'read', 'write')],
      },
    ];
    const tls = { clientAuth: 'require', clientCaFile: own.caFile } as const;
    await secured(principals, { tls }, async ({ cluster, pki, auditFile }) => {
      const { ca } = pki;
      const ward = own.issue('ward');
      assert.is(await outcomeOf(cluster, { ca, cert: ward.cert, key: ward.key }), 'ok');
      const read = await overHttps(cluster, '/kv/%7Bp1%7D%2Fq', { ca, ...ward });
      assert.equal(read, { status: 200, body: '4' });

      const foreign = other.issue('ward');
      const expired = own.issue('ward', 'expired');
      for (const { cert, key } of [foreign, expired]) {
        assert.is(await outcomeOf(cluster, { ca, cert, key }), 'UNAVAILABLE');
      }
      assert.is(await outcomeOf(cluster, { ca }), 'UNAVAILABLE', 'without a certificate');
      await audited(auditFile, { event: 'connection', reason: 'no-client-certificate' });
      await audited(auditFile, { event: 'connection', reason: 'certificate: CERT_HAS_EXPIRED' });

      const stranger = own.issue('stranger');
      const { cert, key } = stranger;
      assert.is(await outcomeOf(cluster, { ca, cert, key }), 'UNAUTHENTICATED');
      await audited(auditFile, { event: 'refused', reason: 'unknown-certificate' });
      assert.is(await outcomeOf(cluster, {}), 'UNAVAILABLE', 'plain text');
    });
  }));

test('gives each principal its rights over its prefixes, until they are taken away', () => {
  const [nurse, analyst, operator] = [newToken(), newToken(), newToken()];
  const principals = [
    { name: 'nurse', tokens: [tokenHash(nurse)], grants: [grant('{p1}', 'read', 'write')] },
    { name: 'analyst', tokens: [tokenHash(analyst)], grants: [grant('', 'read', 'scan')] },
    { name: 'operator', tokens: [tokenHash(operator)], grants: [grant('', 'admin')] },
  ];
  const audit = { writes: true, keys: true };
  return secured(principals, { audit }, async (rig) => {
    const { cluster, pki, auditFile, principalsFile } = rig;
    const { ca } = pki;
    const set = (key: string) => (client: KvClient) => client.set(key, VALUE);
    const stats = (client: KvClient) => client.stats();
    const scan = async (client: KvClient) => {
      for await (const _ of client.scan({ prefix: Buffer.from('{p1}') }));
    };
    assert.is(await outcomeOf(cluster, { ca, token: nurse }), 'ok');
    await audited(auditFile, { event: 'write', principal: 'nurse', key: '{p1}/q', outcome: 'ok' });
    assert.is(await outcomeOf(cluster, { ca, token: nurse }, set('{p2}/q')), 'PERMISSION_DENIED');
    await audited(auditFile, {
      event: 'refused',
      principal: 'nurse',
      outcome: 'PERMISSION_DENIED',
    });
    assert.is(await outcomeOf(cluster, { ca, token: nurse }, scan), 'PERMISSION_DENIED');
    assert.is(await outcomeOf(cluster, { ca, token: nurse }, stats), 'PERMISSION_DENIED');
    assert.is(await outcomeOf(cluster, { ca, token: analyst }, scan), 'ok');
    assert.is(await outcomeOf(cluster, { ca, token: analyst }), 'PERMISSION_DENIED');
    assert.is(await outcomeOf(cluster, { ca, token: operator }, stats), 'ok');
    assert.is(await outcomeOf(cluster, { ca, token: operator }), 'PERMISSION_DENIED');
    assert.is(await outcomeOf(cluster, { ca }), 'UNAUTHENTICATED');
    assert.is(await outcomeOf(cluster, { ca, token: newToken() }), 'UNAUTHENTICATED');
    await audited(auditFile, { event: 'refused', reason: 'unknown-token' });
    const health = (client: KvClient) => client.health('');
    assert.is(await outcomeOf(cluster, { ca }, health), 'ok', 'probes know no secrets');

    const key = '/kv/%7Bp1%7D%2Fq';
    assert.equal(await overHttps(cluster, key, { ca, token: nurse }), { status: 200, body: '4' });
    assert.is((await overHttps(cluster, key, { ca })).status, 401);
    assert.is((await overHttps(cluster, key, { ca, token: operator })).status, 403);
    assert.is((await overHttps(cluster, '/stats', { ca })).status, 401);
    assert.is((await overHttps(cluster, '/metrics', { ca })).status, 401);
    assert.is((await overHttps(cluster, '/stats', { ca, token: operator })).status, 200);
    assert.is((await overHttps(cluster, '/readyz', { ca })).status, 200);

    const left = principals.filter(({ name }) => name !== 'nurse');
    replace(principalsFile, JSON.stringify({ principals: left }));
    await until(async () => (await outcomeOf(cluster, { ca, token: nurse })) === 'UNAUTHENTICATED');
    await audited(auditFile, { event: 'security', operation: 'reload', outcome: 'ok' });
    replace(principalsFile, '{"principals": [{"name": "analyst"}]}');
    await audited(auditFile, { event: 'security', operation: 'reload', outcome: 'refused' });
    assert.is(await outcomeOf(cluster, { ca, token: analyst }, scan), 'ok', 'the former go on');
    assert.is(statSync(auditFile).mode & 0o777, 0o600);
    assert.not.match(readFileSync(auditFile, 'utf8'), new RegExp(`${nurse}|${analyst}`));
  });
});

test('shows a new certificate to new connections, while old ones go on', () =>
  withTempDir((dir) =>
    secured(undefined, {}, async ({ cluster, pki, certFile, keyFile }) => {
      const next = makePki(dir, 'next');
      if (next === undefined) return;
      const security = { ca: pki.ca };
      const options = { endpoints: [cluster.grpcAddress], connections: 1, security };
      const client = connect(options);
      await client.set('{p1}/q', VALUE);
      const renewed = next.issue('server', 'server');
      replace(keyFile, renewed.key);
      replace(certFile, renewed.cert);
      await until(async () => (await outcomeOf(cluster, { ca: next.ca })) === 'ok');
      await client.set('{p1}/q', Buffer.from('5'));
      assert.is(await outcomeOf(cluster, security), 'UNAVAILABLE', 'the former authority');
      const read = await overHttps(cluster, '/kv/%7Bp1%7D%2Fq', { ca: next.ca });
      assert.equal(read, { status: 200, body: '5' });
      await client.close();
    }),
  ));

run();
