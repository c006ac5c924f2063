/**
 * Where each of several router threads listens. Pure.
 *
 * Where the platform lets sockets share a port (SO_REUSEPORT: Linux, Node 22.12 or later) all of
 * them listen on the same addresses and the system spreads connections. Elsewhere the first has the
 * configured addresses and the further ones the gRPC ports behind it; HTTP is the first one's.
 * docs/adr/0009-router-ports.md says why no socket is shared among threads instead.
 */
import { formatAddress, parseAddress } from '../base/address.js';
import { StormError } from '../base/errors.js';

export interface RouterDoors {
  grpcAddress: string;
  /** Empty = none. */
  httpAddress: string;
  sharesPorts: boolean;
}

const PORT_MAX = 65_535;

/** Throws INVALID_ARGUMENT when the ports cannot be given out. */
export function planDoors(
  threads: number,
  grpcAddress: string,
  httpAddress: string,
  canSharePorts: boolean,
): RouterDoors[] {
  const grpc = parseAddress(grpcAddress);
  const http = parseAddress(httpAddress);
  // Any free port is another one for each who asks.
  const sharesPorts = threads > 1 && canSharePorts && grpc.port !== 0 && http.port !== 0;
  const first = { grpcAddress, httpAddress, sharesPorts };
  const rest = Array.from({ length: threads - 1 }, (_, i): RouterDoors => {
    if (sharesPorts) return first;
    const port = grpc.port === 0 ? 0 : grpc.port + 1 + i;
    if (port > PORT_MAX || (port !== 0 && port === http.port)) {
      throw new StormError(
        'INVALID_ARGUMENT',
        `router.threads ${threads} needs the gRPC ports ${grpc.port} to ` +
          `${grpc.port + threads - 1}: port ${port} cannot be one of them, choose another ` +
          'grpc.address or http.address',
      );
    }
    return {
      grpcAddress: formatAddress({ host: grpc.host, port }),
      httpAddress: '',
      sharesPorts: false,
    };
  });
  return [first, ...rest];
}

/** Whether `listen({reusePort})` exists, by `process.version` and `process.platform`. */
export function canSharePorts(nodeVersion: string, platform: string): boolean {
  const [major = 0, minor = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number);
  const hasOption = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return hasOption && platform === 'linux';
}
