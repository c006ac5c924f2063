import { fileURLToPath } from 'node:url';
import { readLocalFile } from './local-files.js';

/** The version in the package.json that this code belongs to. */
export function packageVersion(): string {
  const path = new URL('../../../package.json', import.meta.url);
  const content: unknown = JSON.parse(readLocalFile(fileURLToPath(path)).toString('utf8'));
  if (typeof content === 'object' && content !== null && 'version' in content) {
    return String(content.version);
  }
  return '0.0.0';
}
