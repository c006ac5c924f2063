import { HTTP_LIMITS_DEFAULT } from '../../src/router/http-door.js';
import { GRPC_LIMITS_DEFAULT } from '../../src/rpc/grpc-server.js';
import { OPEN_TRAFFIC } from '../../src/rpc/traffic.js';

/** What routers are told of doors that everybody may use as much as they like. */
export const OPEN_DOOR_BOOT = {
  hostsAllowed: [],
  originsAllowed: [],
  hasReflection: false,
  grpcLimits: GRPC_LIMITS_DEFAULT,
  httpLimits: HTTP_LIMITS_DEFAULT,
  audit: { writes: false, keys: false },
  metricsPublic: false,
  traffic: OPEN_TRAFFIC,
};
