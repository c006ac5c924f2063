/**
 * The rows of the option table that govern calls. All of them can change while the server runs.
 * option-table.ts binds them to the Config interface.
 */
/** `CALLER CLASS RATE BURST`. */
export const QUOTA_PATTERN = /^(\S{1,256}) (read|write|scan|admin|all) (\d{1,9}) ([1-9]\d{0,8})$/;
export const SCOPE_PATTERN = /^(?:global|read|write|scan|admin|caller)$/;

const ENTRIES_MAX = 1_000_000_000;
const RATE_HELP = 'per second, where a batch counts its entries; 0 = no limit.';

const burstRow = (whose: string) =>
  ({
    type: 'integer',
    default: 1000,
    min: 1,
    max: ENTRIES_MAX,
    unit: 'entries',
    help: `Entries that ${whose} may come at once; a larger batch waits for all of it.`,
    reloads: true,
  }) as const;
const rateRow = (whose: string) =>
  ({
    type: 'integer',
    default: 0,
    min: 0,
    max: ENTRIES_MAX,
    unit: 'entries',
    help: `Entries of ${whose} ${RATE_HELP}`,
    reloads: true,
  }) as const;

export const TRAFFIC_OPTIONS = {
  'bucket.burst': burstRow('of all calls'),
  'bucket.rate': rateRow('all calls'),
  'readBucket.burst': burstRow('of Get, BatchGet and Ttl'),
  'readBucket.rate': rateRow('Get, BatchGet and Ttl'),
  'writeBucket.burst': burstRow('of writes and deletes'),
  'writeBucket.rate': rateRow('writes and deletes'),
  'scanBucket.burst': burstRow('of scans'),
  'scanBucket.rate': rateRow('scans'),
  'adminBucket.burst': burstRow('of operators'),
  'adminBucket.rate': rateRow('calls of operators'),
  'callerBucket.burst': burstRow('of one caller'),
  'callerBucket.rate': rateRow('each caller (its principal, else its address)'),
  'callerBucket.quotas': {
    type: 'quotas',
    default: [],
    help: 'Limits of single callers in place of that, each as "CALLER CLASS RATE BURST".',
    reloads: true,
  },
  'breaker.scopes': {
    type: 'scopes',
    default: ['read', 'write', 'scan'],
    help: 'Which breakers there are: global, of a class (read …), of each caller; none = off.',
    reloads: true,
  },
  'breaker.windowMs': {
    type: 'integer',
    default: 5000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    help: 'Over how long a circuit breaker counts calls and faults of the server.',
    reloads: true,
  },
  'breaker.buckets': {
    type: 'integer',
    default: 10,
    min: 1,
    max: 60,
    help: 'Parts of the window, of which the oldest is dropped at a time.',
    reloads: true,
  },
  'breaker.ratio': {
    type: 'number',
    default: 0.5,
    min: 0,
    max: 1,
    help: 'A breaker opens when more than this part of the calls in its window failed.',
    reloads: true,
  },
  'breaker.requests': {
    type: 'integer',
    default: 100,
    min: 1,
    max: 1_000_000,
    unit: 'calls',
    help: 'With fewer calls in its window a breaker does not open.',
    reloads: true,
  },
  'breaker.openMs': {
    type: 'integer',
    default: 1000,
    min: 10,
    max: 60_000,
    unit: 'ms',
    help: 'How long an open breaker refuses before it lets probes through.',
    reloads: true,
  },
  'breaker.probes': {
    type: 'integer',
    default: 5,
    min: 1,
    max: 1000,
    unit: 'calls',
    help: 'Probes that a half-open breaker lets through; it closes unless too many of them fail.',
    reloads: true,
  },
} as const;
