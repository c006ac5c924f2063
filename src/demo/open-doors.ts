/** Connections to one life of the server: several over gRPC, taken in turn, and HTTP. */
import { KvClient } from '../cli/kv-client.js';
import type { Doors } from './door.js';
import { openHttpDoor } from './http-door.js';

export interface OpenDoors extends Doors {
  /** Calls in progress fail. */
  close(): void;
}

export interface DoorAddresses {
  grpcAddress: string;
  httpAddress: string;
}

const GRPC_CONNECTIONS = 4;
const HTTP_CONNECTIONS = 8;
const TIMEOUT_MS = 10_000;

export function openDoors(addresses: DoorAddresses, wallMs: () => number): OpenDoors {
  const { grpcAddress, httpAddress } = addresses;
  const clients = Array.from(
    { length: GRPC_CONNECTIONS },
    () => new KvClient(grpcAddress, TIMEOUT_MS, wallMs),
  );
  const [first] = clients;
  let turn = 0;
  const client = (): KvClient => {
    turn = (turn + 1) % clients.length;
    return clients[turn] ?? (first as KvClient);
  };
  const http = openHttpDoor(httpAddress, HTTP_CONNECTIONS, TIMEOUT_MS);
  return {
    grpc: {
      put: (key, value) => client().set(key, value),
      get: (key) => client().get(key),
    },
    http,
    close() {
      for (const each of clients) each.close();
      http.close();
    },
  };
}
