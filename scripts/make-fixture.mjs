/**
 * Makes test/fixtures/VERSION from the built program: a data dir as this version writes it, one
 * with a damaged table, and what the store holds. Run it once for each release, on a fresh build:
 *
 *   node scripts/make-fixture.mjs [dist]
 *
 * A fixture is never made again: later versions must read what this one wrote.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const KIB = 1024;
const THOUSAND_YEARS_MS = 31_556_952_000_000;
const root = new URL('..', import.meta.url);
const dist = process.argv[2] ?? 'dist';
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
const { startCluster } = await import(new URL(`${dist}/src/main.js`, root).href);
const { KvClient } = await import(new URL(`${dist}/src/cli/kv-client.js`, root).href);
const dir = mkdtempSync(join(tmpdir(), 'stormkv-fixture-'));
const out = new URL(`test/fixtures/${version}/`, root);
const config = {
  data: { dir },
  shards: { count: 2 },
  grpc: { address: '127.0.0.1:0' },
  http: { address: '127.0.0.1:0' },
  limits: { keyBytesMax: 256, valueBytesMax: 16 * KIB, batchBytesMax: 32 * KIB },
  memory: { bytesMax: 32 * KIB * KIB },
  wal: { segmentBytes: 128 * KIB, groupBytesMax: 32 * KIB, liveBytesMax: 256 * KIB, sparesMax: 1 },
  table: { bytesMax: 64 * KIB },
};
const expected = {};

async function life(first, count) {
  const cluster = await startCluster(config, { log: { write() {} } });
  const client = new KvClient(cluster.grpcAddress, 60_000, Date.now);
  for (let i = first; i < first + count; i++) {
    const key = `{patient-${i % 37}}/é${i % 700}`;
    const value = Buffer.from(`answer ${i} `.repeat(1 + (i % 40)));
    const ttlMs = i % 11 === 0 ? THOUSAND_YEARS_MS : 0;
    if (i % 13 === 0) {
      await client.delete(key);
      delete expected[key];
    } else {
      const saved = await client.setVersioned(key, value, { ttlMs });
      expected[key] = { value: value.toString('base64'), version: saved, expires: ttlMs > 0 };
    }
  }
  client.close();
  await cluster.close();
}

function packed(change = (_path, bytes) => bytes) {
  const files = {};
  for (const name of readdirSync(dir, { recursive: true }).sort()) {
    const path = join(dir, name);
    if (statSync(path).isFile()) files[name] = change(name, readFileSync(path)).toString('base64');
  }
  return gzipSync(JSON.stringify(files), { level: 9 });
}

await life(0, 1500);
await life(1500, 60);
mkdirSync(out, { recursive: true });
writeFileSync(new URL('store.json.gz', out), packed());
let isDamaged = false;
const damaged = packed((name, bytes) => {
  if (isDamaged || !name.endsWith('.sst')) return bytes;
  isDamaged = true;
  bytes[40] ^= 1;
  return bytes;
});
if (!isDamaged) throw new Error('The store has no table to damage');
writeFileSync(new URL('damaged.json.gz', out), damaged);
writeFileSync(new URL('expected.json.gz', out), gzipSync(JSON.stringify(expected), { level: 9 }));
rmSync(dir, { recursive: true });
console.log(`test/fixtures/${version}: ${Object.keys(expected).length} keys`);
