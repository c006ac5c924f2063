import { readdirSync, readlinkSync } from 'node:fs';

/** What the open descriptors of this process lead to: paths, `socket:[...]` and more. */
export function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // closed meanwhile, as the listing's own one is
    }
  });
}
