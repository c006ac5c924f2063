/**
 * Who can reach the doors, and what protects them there: off loopback they are encrypted and know
 * their callers, unless it is asked for by name that they are not.
 */
import { parseAddress } from '../base/address.js';
import type { DoorConfig } from './door-config.js';

interface DoorRelation {
  paths: readonly DoorPath[];
  faultOf(config: DoorConfig): string | undefined;
}
type DoorPath = {
  [Section in keyof DoorConfig]: `${Section}.${keyof DoorConfig[Section] & string}`;
}[keyof DoorConfig];

const PROTECTION = [
  'tls.certFile',
  'tls.clientAuth',
  'security.principalsFile',
  'security.allowPlainTextOffLoopback',
  'security.allowAnonymousOffLoopback',
] as const;

export const DOOR_RELATIONS: readonly DoorRelation[] = [
  {
    paths: ['grpc.address', ...PROTECTION],
    faultOf: (config) => exposureFault('grpc.address', config.grpc.address, config),
  },
  {
    paths: ['http.address', ...PROTECTION],
    faultOf: (config) => exposureFault('http.address', config.http.address, config),
  },
  {
    paths: ['grpc.address', 'http.address'],
    faultOf: ({ grpc, http }) =>
      grpc.address === http.address && parseAddress(grpc.address).port !== 0
        ? `grpc.address and http.address must differ: both are ${JSON.stringify(grpc.address)}`
        : undefined,
  },
  {
    paths: ['tls.certFile', 'tls.keyFile'],
    faultOf({ tls: { certFile, keyFile } }) {
      if ((certFile === '') === (keyFile === '')) return undefined;
      const [named, missing] = certFile === '' ? ['keyFile', 'certFile'] : ['certFile', 'keyFile'];
      return `tls.${missing} must name a file too: tls.${named} is of no use without it`;
    },
  },
  {
    paths: ['tls.certFile', 'tls.clientAuth', 'tls.clientCaFile'],
    faultOf({ tls: { certFile, clientAuth, clientCaFile } }) {
      if (clientAuth === 'none') {
        return clientCaFile === ''
          ? undefined
          : 'tls.clientAuth must be "request" or "require", for tls.clientCaFile to have an effect';
      }
      if (certFile === '')
        return `tls.certFile must name a file: tls.clientAuth is "${clientAuth}"`;
      return clientCaFile === ''
        ? `tls.clientCaFile must name a file: tls.clientAuth is "${clientAuth}"`
        : undefined;
    },
  },
];

function exposureFault(path: string, address: string, config: DoorConfig): string | undefined {
  const { tls, security } = config;
  if (isLoopback(parseAddress(address).host) || security.allowPlainTextOffLoopback)
    return undefined;
  const found = `found ${JSON.stringify(address)}`;
  if (tls.certFile === '') {
    const tokens = security.principalsFile === '' ? '' : ' and would send tokens in plain text';
    return (
      `${path} must be a loopback address (127.0.0.1, localhost, [::1]), because the doors have ` +
      `no encryption${tokens}: set tls.certFile and tls.keyFile, or set ` +
      `security.allowPlainTextOffLoopback to true to listen there all the same: ${found}`
    );
  }
  const knowsCallers = tls.clientAuth === 'require' || security.principalsFile !== '';
  if (knowsCallers || security.allowAnonymousOffLoopback) return undefined;
  return (
    `${path} must be a loopback address, because everybody who reaches it could do everything: ` +
    'set tls.clientAuth to "require" or name a security.principalsFile, or set ' +
    `security.allowAnonymousOffLoopback to true to listen there all the same: ${found}`
  );
}

/** True for hosts that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
}
