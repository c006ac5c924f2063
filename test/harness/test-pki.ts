/**
 * Certificates made on the spot with the openssl command: an authority, server and client
 * certificates, expired ones. `makePki` is undefined where there is no openssl.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertFiles {
  certFile: string;
  keyFile: string;
  cert: string;
  key: string;
}

export class TestPki {
  readonly #dir: string;
  readonly caFile: string;
  readonly ca: string;

  /** Throws when openssl fails. */
  constructor(dir: string, name = 'ca') {
    this.#dir = dir;
    this.caFile = join(dir, `${name}.crt`);
    const key = join(dir, `${name}.key`);
    const subject = ['-days', '2', '-subj', `/CN=${name}`];
    openssl(['req', '-x509', ...newKey(key), '-out', this.caFile, ...subject]);
    this.ca = readFileSync(this.caFile, 'utf8');
    this.#name = name;
  }

  readonly #name: string;
  #serial = 1;

  /** Good for one day, or since yesterday no more. For servers: of 127.0.0.x and localhost. */
  issue(commonName: string, kind: 'server' | 'client' | 'expired' = 'client'): CertFiles {
    const base = join(this.#dir, `${this.#name}-${commonName}-${this.#serial}`);
    const [certFile, keyFile] = [`${base}.crt`, `${base}.key`];
    const csr = `${base}.csr`;
    openssl(['req', '-new', ...newKey(keyFile), '-out', csr, '-subj', `/CN=${commonName}`]);
    const extensions = `${base}.ext`;
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3\n';
    writeFileSync(extensions, kind === 'server' ? names : 'basicConstraints=CA:FALSE\n');
    const authority = join(this.#dir, this.#name);
    // A certificate of -1 days has ended before it began, which every version of openssl makes.
    const days = kind === 'expired' ? '-1' : '1';
    const signing = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-days', days];
    const serial = ['-set_serial', String(this.#serial++)];
    const output = ['-extfile', extensions, '-out', certFile];
    openssl(['x509', '-req', '-in', csr, ...signing, ...serial, ...output]);
    const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
    return { certFile, keyFile, cert, key };
  }
}

/** Undefined, after a notice, where there is no openssl. */
export function makePki(dir: string, name?: string): TestPki | undefined {
  if (spawnSync('openssl', ['version']).status === 0) return new TestPki(dir, name);
  process.stdout.write('Skipped: the openssl command is missing\n');
  return undefined;
}

const newKey = (file: string) => [
  ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  ...['-nodes', '-keyout', file],
];

function openssl(args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}
