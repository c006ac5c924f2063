/** What the routers need of the configuration to govern calls. */
import type { TrafficConfig } from '../config/traffic-config.js';
import { QUOTA_PATTERN } from '../config/traffic-options.js';
import {
  BREAKER_SCOPES,
  type BreakerScope,
  CALL_CLASSES,
  type CallClass,
  type Quota,
  type TrafficSettings,
} from '../rpc/traffic.js';

export function trafficSettings(config: TrafficConfig): TrafficSettings {
  const { bucket, callerBucket, breaker } = config;
  return {
    buckets: {
      global: { ...bucket },
      caller: { burst: callerBucket.burst, rate: callerBucket.rate },
      read: { ...config.readBucket },
      write: { ...config.writeBucket },
      scan: { ...config.scanBucket },
      admin: { ...config.adminBucket },
    },
    quotas: callerBucket.quotas.map(quotaOf),
    breaker: { ...breaker, scopes: breaker.scopes.filter(isScope) },
  };
}

function quotaOf(text: string): Quota {
  const [, caller = '', kind = '', rate = '', burst = ''] = QUOTA_PATTERN.exec(text) ?? [];
  return { caller, kind: isClass(kind) ? kind : 'all', rate: Number(rate), burst: Number(burst) };
}

function isClass(text: string): text is CallClass {
  return CALL_CLASSES.some((one) => one === text);
}

function isScope(text: string): text is BreakerScope {
  return BREAKER_SCOPES.some((one) => one === text);
}
