/**
 * Reads certificates and principals and checks that they can be used: a key that fits its
 * certificate, authorities that are certificates, principals without a fault. Main thread.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { messageOf, StormError } from '../base/errors.js';
import {
  type ClientAuth,
  listenerOptions,
  type SecuritySettings,
  type TlsSettings,
} from '../rpc/door-security.js';
import type { FileSystem } from '../storage/file-system.js';
import { parsePrincipals } from './principals-file.js';

/** Paths; empty = none. */
export interface SecurityPaths {
  certFile: string;
  keyFile: string;
  clientCaFile: string;
  clientAuth: ClientAuth;
  principalsFile: string;
}

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const PEM_PATTERN = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Throws INVALID_ARGUMENT that names the file and what is wrong with it. */
export function readSecurity(paths: SecurityPaths, fs: FileSystem): SecuritySettings {
  const { certFile, keyFile, clientCaFile, clientAuth, principalsFile } = paths;
  let tls: TlsSettings | undefined;
  if (certFile !== '') {
    tls = {
      cert: readText(certFile, fs),
      key: readText(keyFile, fs),
      clientCa: clientCaFile === '' ? '' : readText(clientCaFile, fs),
      clientAuth,
    };
    checkTls(tls, paths);
  }
  const principals =
    principalsFile === ''
      ? undefined
      : parsePrincipals(principalsFile, readText(principalsFile, fs));
  return { tls, principals };
}

function readText(path: string, fs: FileSystem): string {
  try {
    const file = fs.open(path, 'read');
    try {
      const size = file.sizeBytes();
      if (size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
      const bytes = Buffer.alloc(size);
      return bytes.toString('utf8', 0, file.readAt(bytes, 0, size, 0));
    } finally {
      file.close();
    }
  } catch (cause) {
    const text = `Cannot read ${path}: ${messageOf(cause)}`;
    throw new StormError('INVALID_ARGUMENT', text, { cause });
  }
}

function checkTls(tls: TlsSettings, { certFile, keyFile, clientCaFile }: SecurityPaths): void {
  certificatesOf(tls.cert, certFile);
  if (tls.clientCa !== '') certificatesOf(tls.clientCa, clientCaFile);
  try {
    createSecureContext(listenerOptions(tls));
  } catch (cause) {
    const text = `The key in ${keyFile} does not fit the certificate in ${certFile}: `;
    throw new StormError('INVALID_ARGUMENT', `${text}${messageOf(cause)}`, { cause });
  }
}

/** Throws when there is none, or one that is none. */
export function certificatesOf(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(PEM_PATTERN) ?? [];
  try {
    if (blocks.length === 0) throw new Error('there is no BEGIN CERTIFICATE');
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    const text = `${file} holds no certificate in PEM form: ${messageOf(cause)}`;
    throw new StormError('INVALID_ARGUMENT', text, { cause });
  }
}
