import { fileURLToPath } from 'node:url';
import type { FileSystem } from '../storage/file-system.js';

/** The version in the package.json that this code belongs to. */
export function packageVersion(fs: FileSystem): string {
  const path = fileURLToPath(new URL('../../../package.json', import.meta.url));
  const file = fs.open(path, 'read');
  try {
    const bytes = new Uint8Array(file.sizeBytes());
    file.readAt(bytes, 0, bytes.length, 0);
    const content: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    const isVersioned = typeof content === 'object' && content !== null && 'version' in content;
    return isVersioned ? String(content.version) : '0.0.0';
  } finally {
    file.close();
  }
}
