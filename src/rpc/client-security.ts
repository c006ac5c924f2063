/** How a client of ours proves who it is, and knows whom it talks to. */
import {
  type ChannelCredentials,
  credentials,
  InterceptingCall,
  type Interceptor,
} from '@grpc/grpc-js';
import { messageOf, StormError } from '../base/errors.js';

export interface ClientSecurity {
  /**
   * TLS, with the authorities (PEM) whose server certificates are good; `true` = the system's.
   * Plain text if absent, unless there is a certificate.
   */
  ca?: Uint8Array | string | true;
  /** The client's own certificate and its key (PEM); both or neither. */
  cert?: Uint8Array | string;
  key?: Uint8Array | string;
  /** Sent with each call, as `authorization: Bearer TOKEN`. */
  token?: string;
}

/** Options for a grpc-js client. Throws INVALID_ARGUMENT where the parts do not fit. */
export function channelSecurity({ ca, cert, key, token }: ClientSecurity): {
  credentials: ChannelCredentials;
  options: { interceptors?: Interceptor[] };
} {
  if ((cert === undefined) !== (key === undefined)) {
    throw new StormError('INVALID_ARGUMENT', 'A certificate and its key belong together');
  }
  const isSecure = ca !== undefined || cert !== undefined;
  const options = token === undefined ? {} : { interceptors: [sender(token)] };
  if (!isSecure) return { credentials: credentials.createInsecure(), options };
  try {
    const roots = ca === undefined || ca === true ? null : Buffer.from(ca);
    const [chain, secret] = [cert, key].map((one) => (one === undefined ? null : Buffer.from(one)));
    const made = credentials.createSsl(roots, secret ?? null, chain ?? null);
    return { credentials: made, options };
  } catch (cause) {
    const text = `The certificate, its key or the authorities are not good: ${messageOf(cause)}`;
    throw new StormError('INVALID_ARGUMENT', text, { cause });
  }
}

function sender(token: string): Interceptor {
  const value = `Bearer ${token}`;
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set('authorization', value);
        next(metadata, listener);
      },
    });
}
