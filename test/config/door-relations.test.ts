import * as assert from 'uvu/assert';
import type { PartialConfig } from '../../src/config/config.js';
import { isLoopback } from '../../src/config/door-relations.js';
import { ConfigError, configWith } from '../../src/config/load-config.js';
import { suite } from '../harness/suite.js';

const { test, run } = suite('Doors and who can reach them');
const OPEN = '0.0.0.0:1';
const TLS = { certFile: 'cert.pem', keyFile: 'key.pem' };

function refuses(options: PartialConfig, pattern: RegExp): void {
  try {
    configWith(options);
  } catch (error) {
    assert.instance(error, ConfigError);
    assert.match((error as ConfigError).faults.join('\n'), pattern);
    return;
  }
  assert.unreachable(`taken: ${JSON.stringify(options)}`);
}

test('addresses that others can reach need encryption, or that it is asked for by name', () => {
  for (const address of ['0.0.0.0:1', '[::]:1', '10.1.2.3:1', 'store.example:1', '128.0.0.1:1']) {
    refuses({ grpc: { address } }, /^grpc\.address must be .* set security\.allowPlainTextOff/);
    refuses({ http: { address } }, /^http\.address must be a loopback address/);
    configWith({ http: { address }, security: { allowPlainTextOffLoopback: true } });
  }
  for (const address of ['localhost:1', '[::1]:1', '127.0.0.2:1', 'LOCALHOST:1']) {
    configWith({ grpc: { address } });
  }
});

test('tokens alone are not enough off loopback: they would travel in plain text', () => {
  const security = { principalsFile: 'principals.json' };
  refuses({ grpc: { address: OPEN }, security }, /would send tokens in plain text/);
  configWith({
    grpc: { address: OPEN },
    security: { ...security, allowPlainTextOffLoopback: true },
  });
});

test('encryption alone is not enough off loopback: callers must be known', () => {
  refuses({ grpc: { address: OPEN }, tls: TLS }, /everybody who reaches it could do everything/);
  const request = { ...TLS, clientAuth: 'request', clientCaFile: 'ca.pem' } as const;
  refuses({ grpc: { address: OPEN }, tls: request }, /allowAnonymousOffLoopback/);
  const grpc = { address: OPEN };
  configWith({ grpc, tls: { ...request, clientAuth: 'require' } });
  configWith({ grpc, tls: TLS, security: { principalsFile: 'p.json' } });
  configWith({ grpc, tls: TLS, security: { allowAnonymousOffLoopback: true } });
});

test('a certificate needs its key, and asking clients for one needs authorities', () => {
  refuses({ tls: { certFile: 'cert.pem' } }, /^tls\.keyFile must name a file/);
  refuses({ tls: { keyFile: 'key.pem' } }, /^tls\.certFile must name a file/);
  refuses({ tls: { ...TLS, clientAuth: 'require' } }, /^tls\.clientCaFile must name/);
  refuses({ tls: { clientAuth: 'require', clientCaFile: 'ca.pem' } }, /^tls\.certFile must name/);
  refuses({ tls: { ...TLS, clientCaFile: 'ca.pem' } }, /^tls\.clientAuth must be/);
});

test('a name that only begins like a loopback address is none', () => {
  for (const host of ['127.0.0.1.example', '127.0.0', 'localhost.example', '::12', '']) {
    assert.not.ok(isLoopback(host), host);
  }
});

run();
