/**
 * A listener of ours, plain or TLS, behind a DoorGuard. What it accepts is handed on as a socket,
 * so certificates can be exchanged while it listens.
 */
import { createServer, type Server as Listener, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsListener } from 'node:tls';
import { formatAddress, type HostPort } from '../base/address.js';
import { StormError } from '../base/errors.js';
import { type ConnectionLimits, DoorGuard, type TurnedAway } from './door-guard.js';
import { listenerOptions, type TlsSettings } from './door-security.js';

export interface ListenerLimits extends ConnectionLimits {
  /** From the connection to the end of its TLS handshake. */
  handshakeMsMax: number;
}

export interface DoorListenerOptions {
  /** Undefined = plain text. */
  tls: TlsSettings | undefined;
  /** As in TLS: `h2`. */
  protocol: string;
  limits: ListenerLimits;
  /** Told of every connection that may come in. */
  onSocket: (socket: Socket) => void;
  onTurnedAway?: TurnedAway | undefined;
}

export class DoorListener {
  readonly #listener: Listener;
  readonly #tlsListener: TlsListener | undefined;
  readonly #guard: DoorGuard;

  constructor({ tls, protocol, limits, onSocket, onTurnedAway }: DoorListenerOptions) {
    this.#guard = new DoorGuard(limits, onTurnedAway);
    const take = (socket: Socket) => {
      if (!socket.destroyed) onSocket(socket);
    };
    if (tls === undefined) {
      this.#listener = createServer({ noDelay: true });
      this.#guard.watch(this.#listener);
      this.#listener.on('connection', take);
      return;
    }
    this.#tlsListener = createTlsServer({
      ...listenerOptions(tls),
      noDelay: true,
      handshakeTimeout: limits.handshakeMsMax,
      ALPNProtocols: [protocol],
    });
    this.#listener = this.#tlsListener;
    this.#guard.watch(this.#listener, tls);
    this.#listener.on('secureConnection', take);
  }

  /** Resolves to the real port; rejects with UNAVAILABLE when it cannot be bound. */
  listen({ host, port }: HostPort, sharesPorts: boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      const fail = (cause: Error) => {
        const text = `Cannot listen for gRPC on ${formatAddress({ host, port })}: ${cause.message}`;
        reject(new StormError('UNAVAILABLE', text, { cause }));
      };
      this.#listener.once('error', fail);
      // Not among the types of Node 20, which does not have it.
      const sharing: object = sharesPorts ? { reusePort: true } : {};
      this.#listener.listen({ host, port, ...sharing }, () => {
        this.#listener.off('error', fail);
        const bound = this.#listener.address();
        resolve(bound !== null && typeof bound === 'object' ? bound.port : port);
      });
    });
  }

  /** New handshakes use it. Throws when the PEM texts do not fit each other. */
  setTls(tls: TlsSettings): void {
    if (this.#tlsListener !== undefined) this.#guard.setTls(this.#tlsListener, tls);
  }

  /** Takes no more connections. */
  stop(): void {
    this.#listener.close();
  }

  /** And ends those that are open. */
  destroyAll(): void {
    this.stop();
    this.#guard.destroyAll();
  }
}
