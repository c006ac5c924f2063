/** What the HTTP door answers when a request is done, refused, or no HTTP request at all. */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { StormError } from '../base/errors.js';
import { etagOf } from './http-conditions.js';
import { errorBody, errorHeaders, HEADER_OUTCOME, HTTP_STATUS_OF } from './http-status.js';

export const WRITE_METHODS = new Set(['PUT', 'POST', 'DELETE']);
export const NOT_FOUND = new StormError('NOT_FOUND', 'The key has no value');

/** The answer to a write. */
export function sendDone(
  reply: FastifyReply,
  error: StormError | undefined,
  version: number,
): void {
  if (error !== undefined) sendError(reply, error, true);
  else if (version === 0) reply.code(200).send();
  else reply.code(200).header('etag', etagOf(version)).send();
}

export function sendError(reply: FastifyReply, error: StormError, isWrite: boolean): void {
  if (error.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
  reply
    .code(HTTP_STATUS_OF[error.code])
    .type('application/json; charset=utf-8')
    .headers(errorHeaders(error, isWrite))
    .send(errorBody(error.code, error.message));
}

/** What was thrown by a handler before its operation began, or by fastify itself. */
export function sendThrown(
  request: FastifyRequest,
  reply: FastifyReply,
  error: FastifyError,
): void {
  const isWrite = WRITE_METHODS.has(request.method);
  if (error instanceof StormError) {
    sendError(reply, error, isWrite);
    return;
  }
  const status = error.statusCode ?? 500;
  if (isWrite) reply.header(HEADER_OUTCOME, status < 500 ? 'not-applied' : 'unknown');
  if (status === 413) {
    const text = 'The value is too long (limits.valueBytesMax); nothing was stored';
    reply.code(413).send(errorBody('INVALID_ARGUMENT', text));
    return;
  }
  const code = status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL';
  reply.code(status).send(errorBody(code, error.message));
}

/** Bytes that are no HTTP request: answered on the bare socket. */
export function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  let status = '400 Bad Request';
  let text = 'This is not a well-formed HTTP request';
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    status = '431 Request Header Fields Too Large';
    text = 'The path and headers are too long (limits.keyBytesMax)';
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    status = '408 Request Timeout';
    text = 'The request did not arrive in time';
  }
  const body = JSON.stringify(errorBody('INVALID_ARGUMENT', text));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
