import { SLOT_COUNT } from '../base/slot.js';
import type { Root } from '../storage/root-manifest.js';

/** slot → shard, shared with the routers. */
export function slotOwnerOf(root: Root): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(SLOT_COUNT * Uint16Array.BYTES_PER_ELEMENT);
  const owners = new Uint16Array(memory);
  root.slotRanges.forEach(({ first, last }, shard) => {
    owners.fill(shard, first, last + 1);
  });
  return memory;
}
