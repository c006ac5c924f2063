/**
 * Ends HTTP/2 connections that cost more than they bring: floods of cancelled calls ("rapid
 * reset"), of PING or SETTINGS frames, and connections that never finish HTTP/2's own handshake.
 * nghttp2 has bounds of its own below these (1,000 resets saved up, 33 per second; 10,000
 * unanswered control frames), which no option of Node 20 reaches; it ends a connection as well.
 */
import {
  constants,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { Allowance } from '../base/allowance.js';
import type { Clock } from '../base/clock.js';
import type { TurnedAway } from './door-guard.js';

export interface SessionLimits {
  /** Calls that one connection may cancel. */
  resetsPerSecondMax: number;
  /** PING and SETTINGS frames together. */
  controlFramesPerSecondMax: number;
  /** From the connection to the client's first SETTINGS. */
  handshakeMsMax: number;
}

export const REASON_RESETS = 'reset-flood';
export const REASON_CONTROL_FRAMES = 'control-frame-flood';
export const REASON_PREFACE = 'no-http2-handshake';

/** Watches every connection of the server from now on. */
export function guardSessions(
  server: Http2Server,
  limits: SessionLimits,
  clock: Clock,
  onTurnedAway: TurnedAway,
): void {
  const onCloseOf = new WeakMap<ServerHttp2Session, (this: ServerHttp2Stream) => void>();
  server.on('session', (session) => {
    const peer = session.socket?.remoteAddress ?? '';
    let isEnding = false;
    const end = (reason: string) => {
      if (session.destroyed || isEnding) return;
      isEnding = true;
      onTurnedAway(peer, reason);
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      // A turn later, so that the GOAWAY is written; what the flood still sends is not looked at.
      setImmediate(() => session.destroy());
    };
    const resets = new Allowance(limits.resetsPerSecondMax, clock);
    const control = new Allowance(limits.controlFramesPerSecondMax, clock);
    const countControl = () => void (control.take() || end(REASON_CONTROL_FRAMES));
    // Not `aborted`, which is silent about calls that were answered before they were cancelled.
    onCloseOf.set(session, function () {
      if (this.rstCode !== constants.NGHTTP2_NO_ERROR) void (resets.take() || end(REASON_RESETS));
    });
    const timer = setTimeout(end, limits.handshakeMsMax, REASON_PREFACE);
    session.once('remoteSettings', () => clearTimeout(timer));
    session.once('close', () => clearTimeout(timer));
    session.on('remoteSettings', countControl);
    session.on('ping', countControl);
  });
  server.on('stream', (stream: ServerHttp2Stream) => {
    const { session } = stream;
    const onClose =
      session === undefined ? undefined : onCloseOf.get(session as ServerHttp2Session);
    if (onClose !== undefined) stream.once('close', onClose);
  });
}
