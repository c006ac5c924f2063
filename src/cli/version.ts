import { nodeFileSystem } from '../storage/node-file-system.js';
import { packageVersion as versionOf } from '../supervisor/package-version.js';

/** The version in the package.json that this code belongs to. */
export function packageVersion(): string {
  return versionOf(nodeFileSystem);
}
