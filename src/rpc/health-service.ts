/**
 * The standard health service (grpc.health.v1), which balancers and orchestrators ask: SERVING
 * exactly while /readyz says 200. The only importer of grpc-health-check; runs on a router thread.
 */
import { HealthImplementation, protoPath } from 'grpc-health-check';

/** The empty name stands for the whole server. */
const SERVICES = ['', 'kv.Kv', 'kv.Admin', 'kv.Feed'] as const;

/** For reflection. */
export const HEALTH_PROTO = protoPath;

type ServiceHost = Parameters<HealthImplementation['addToServer']>[0];

export class HealthService {
  readonly #health: HealthImplementation;
  #isServing = false;

  /** Says NOT_SERVING until told otherwise. */
  constructor(host: ServiceHost) {
    const initial = Object.fromEntries(SERVICES.map((name) => [name, 'NOT_SERVING' as const]));
    this.#health = new HealthImplementation(initial);
    this.#health.addToServer(host);
  }

  /** Tells those who watch, if it is news. */
  setServing(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    for (const name of SERVICES) {
      this.#health.setStatus(name, isServing ? 'SERVING' : 'NOT_SERVING');
    }
  }
}
