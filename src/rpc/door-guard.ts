/**
 * Stands before a door's listener: counts connections in all and by peer, turns away those beyond a
 * bound and those without a good certificate where one is required, and knows all that are open.
 * Works on the bare sockets, so that an attacker who is turned away has cost one accept().
 */
import type { Server as Listener, Socket } from 'node:net';
import { type PeerCertificate, TLSSocket, type Server as TlsListener } from 'node:tls';
import type { ClientCertificate } from './access.js';
import { type ClientAuth, listenerOptions, type TlsSettings } from './door-security.js';

export interface ConnectionLimits {
  connectionsMax: number;
  /** From one address, or one /64 network of IPv6. */
  connectionsPerPeerMax: number;
}

/** Why somebody was turned away before the first call. */
export type TurnedAway = (peer: string, reason: string) => void;

export const REASON_CONNECTIONS = 'too-many-connections';
export const REASON_PEER_CONNECTIONS = 'too-many-connections-from-peer';
export const REASON_HANDSHAKE = 'tls-handshake-failed';
export const REASON_NO_CERTIFICATE = 'no-client-certificate';

export class DoorGuard {
  readonly #limits: ConnectionLimits;
  readonly #onTurnedAway: TurnedAway;
  readonly #sockets = new Set<Socket>();
  /** How many connections each peer has; never more entries than connections. */
  readonly #peers = new Map<string, number>();
  /** Bare sockets whose handshake is not over, for telling whom it failed. */
  readonly #handshakes = new Map<string, Socket>();
  #clientAuth: ClientAuth = 'none';

  constructor(limits: ConnectionLimits, onTurnedAway: TurnedAway = () => {}) {
    this.#limits = limits;
    this.#onTurnedAway = onTurnedAway;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /**
   * Call once, before the listener listens; `tls` when it is a TLS listener. Sockets that the guard
   * turns away are destroyed; the listener's own handlers still see them.
   */
  watch(listener: Listener, tls?: TlsSettings): void {
    listener.prependListener('connection', (socket: Socket) =>
      this.#meet(socket, tls !== undefined),
    );
    if (tls === undefined) return;
    this.#clientAuth = tls.clientAuth;
    listener.prependListener('secureConnection', (socket: TLSSocket) => this.#meetSecure(socket));
    // After a handshake that took too long Node leaves the socket to whoever listens here. Who it
    // was is not known any more: the bare socket's end is what is told.
    listener.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
  }

  /** New handshakes use it; open connections go on. Throws when the PEM texts do not fit. */
  setTls(listener: TlsListener, tls: TlsSettings): void {
    listener.setSecureContext(listenerOptions(tls));
  }

  /** Ends every connection at once. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #meet(socket: Socket, isTls: boolean): void {
    const address = socket.remoteAddress ?? '';
    const peer = peerOf(address);
    const count = this.#peers.get(peer) ?? 0;
    const reason = this.#refusal(count);
    if (reason !== undefined) {
      // Before the listener's own handler sees it: what it makes of a dead socket dies with it.
      socket.on('error', () => {});
      socket.destroy();
      this.#onTurnedAway(address, reason);
      return;
    }
    this.#sockets.add(socket);
    this.#peers.set(peer, count + 1);
    const key = connectionKey(socket);
    if (isTls) this.#handshakes.set(key, socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#leave(peer);
      if (this.#handshakes.get(key) !== socket) return;
      this.#handshakes.delete(key);
      this.#onTurnedAway(address, REASON_HANDSHAKE);
    });
  }

  #refusal(ofPeer: number): string | undefined {
    if (this.#sockets.size >= this.#limits.connectionsMax) return REASON_CONNECTIONS;
    return ofPeer >= this.#limits.connectionsPerPeerMax ? REASON_PEER_CONNECTIONS : undefined;
  }

  #meetSecure(socket: TLSSocket): void {
    this.#handshakes.delete(connectionKey(socket));
    if (this.#clientAuth === 'none') return;
    const certificate = socket.getPeerCertificate();
    if (socket.authorized) {
      // It is asked for at every call, and making it anew costs more than the call's other checks.
      socket.getPeerCertificate = () => certificate as never;
      return;
    }
    if (this.#clientAuth !== 'require') return;
    const hasNone = certificate === null || certificate.raw === undefined;
    const { authorizationError } = socket;
    const reason = hasNone ? REASON_NO_CERTIFICATE : `certificate: ${String(authorizationError)}`;
    this.#onTurnedAway(socket.remoteAddress ?? '', reason);
    socket.destroy();
  }

  #leave(peer: string): void {
    const left = (this.#peers.get(peer) ?? 1) - 1;
    if (left === 0) this.#peers.delete(peer);
    else this.#peers.set(peer, left);
  }
}

/** Both ends: two listeners' addresses may have the same peer port. */
function connectionKey({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress}|${remotePort}|${localAddress}|${localPort}`;
}

/** What counts as one peer: an address, but of IPv6 the network that one subscriber gets. */
export function peerOf(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.split('%', 1)[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const isShort = plain.includes('::');
  const middle = isShort
    ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
    : [];
  return [...left, ...middle, ...right].slice(0, 4).join(':');
}

const CERTIFICATES = new WeakMap<PeerCertificate, ClientCertificate>();

/** The certificate of a connection, undefined where TLS has not verified one. */
export function certificateOf(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  return clientCertificate(socket.getPeerCertificate());
}

/** Of a verified certificate as Node has it. */
export function clientCertificate(
  certificate: PeerCertificate | undefined,
): ClientCertificate | undefined {
  if (certificate?.fingerprint256 === undefined) return undefined;
  const known = CERTIFICATES.get(certificate);
  if (known !== undefined) return known;
  const name: unknown = certificate.subject?.CN;
  const made = {
    // A subject may have several; who it is would be a guess.
    commonName: typeof name === 'string' ? name : '',
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
  CERTIFICATES.set(certificate, made);
  return made;
}
