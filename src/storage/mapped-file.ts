/**
 * Read-only memory maps of whole files: the only importer of the optional addon mmap-io. Where the
 * addon is missing or the system refuses, callers read with `readAt` instead; nothing else changes.
 *
 * A view stays mapped until the garbage collector drops it, and a thread runs the release only on a
 * turn of its event loop: an unlinked file keeps its disk space until then.
 */
import { createRequire } from 'node:module';

/** The addon takes the length as a signed 32-bit integer. */
const MAPPED_BYTES_MAX = 2 ** 31 - 1;

interface MapAddon {
  readonly PROT_READ: number;
  readonly MAP_SHARED: number;
  map(size: number, protection: number, flags: number, fd: number): Uint8Array;
}

let loaded: MapAddon | undefined;
let loadTried = false;

/** True where this thread can map files. Loads the addon at the first call. */
export function mappingAvailable(): boolean {
  return addon() !== undefined;
}

/**
 * Maps the first `sizeBytes` bytes of an open file, which must have that many and never be
 * truncated while the view lives: touching a page behind the end kills the process (SIGBUS).
 */
export function mapFile(fd: number, sizeBytes: number): Uint8Array | undefined {
  if (sizeBytes <= 0 || sizeBytes > MAPPED_BYTES_MAX) return undefined;
  const mmap = addon();
  if (mmap === undefined) return undefined;
  try {
    const view = mmap.map(sizeBytes, mmap.PROT_READ, mmap.MAP_SHARED, fd);
    // A plain array, because a Buffer's `slice` would hand out views where callers expect copies.
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch {
    // The kernel's limit on maps or on address space, or a file system without maps: reading works
    // all the same, and reports a real fault of the file itself.
    return undefined;
  }
}

function addon(): MapAddon | undefined {
  if (loadTried) return loaded;
  loadTried = true;
  try {
    const module = requireWithoutFlags('mmap-io');
    if (isMapAddon(module)) loaded = module;
  } catch {
    // An optional dependency: npm leaves it out where it cannot be compiled.
    loaded = undefined;
  }
  return loaded;
}

/**
 * The addon's loader takes the flags of the program for its own: a --dir of ours would send it to
 * look for the addon there.
 */
function requireWithoutFlags(name: string): unknown {
  const { argv } = process;
  process.argv = argv.slice(0, 1);
  try {
    return createRequire(import.meta.url)(name);
  } finally {
    process.argv = argv;
  }
}

function isMapAddon(module: unknown): module is MapAddon {
  if (typeof module !== 'object' || module === null) return false;
  return 'map' in module && typeof module.map === 'function' && 'PROT_READ' in module;
}
