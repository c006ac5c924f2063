import { createHash } from 'node:crypto';
import { StormError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import type { CommandSpec } from './command.js';
import { EXIT } from './exit-codes.js';

const TOKEN_BYTES = 32;

/** A new token: `skv_` and 256 random bits. */
export function newToken(): string {
  const bytes = new Uint8Array(TOKEN_BYTES);
  systemRandom.fill(bytes);
  return `skv_${Buffer.from(bytes).toString('base64url')}`;
}

/** What the principals file has of it. */
export function tokenHash(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('hex')}`;
}

export const tokenCommand: CommandSpec = {
  name: 'token',
  summary: 'Make a token, or the hash of one for the principals file',
  arguments: [{ name: 'what', help: 'new, or hash (reads the token from stdin)' }],
  options: [],
  examples: [
    '(umask 077; stormkv token new > token)   # the token on stdout, its hash on stderr',
    'stormkv token hash < token',
    'stormkv get --token-file token --ca ca.pem patient-1/q1',
  ],
  async run(io, [what]) {
    if (what === 'new') {
      const token = newToken();
      io.say(`For the principals file (docs/SECURITY.md): "${tokenHash(token)}"`);
      io.out(`${token}\n`);
      return EXIT.ok;
    }
    if (what !== 'hash') {
      throw new StormError('INVALID_ARGUMENT', 'Say what to make: stormkv token new, or hash');
    }
    const token = (await io.readInput()).toString('utf8').trim();
    if (!/^skv_[A-Za-z0-9_-]{43}$/.test(token)) {
      const text = 'That is no token: stormkv token new makes one';
      throw new StormError('INVALID_ARGUMENT', text);
    }
    io.out(`${tokenHash(token)}\n`);
    return EXIT.ok;
  },
};
