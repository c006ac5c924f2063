/**
 * Servers that answer and keep nothing, each a process of its own with one thread: how much of the
 * way the door alone takes. Prints its port.
 *
 *   node dist/bench/support/ack-only.js grpc|http
 */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import fastify from 'fastify';

async function grpc(): Promise<number> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  const nothing = Buffer.alloc(0);
  const codec = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  const set = { path: '/kv.Kv/Set', requestStream: false, responseStream: false, ...codec };
  server.addService(
    { Set: set },
    { Set: (_call: unknown, done: (error: null, bytes: Buffer) => void) => done(null, nothing) },
  );
  return await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

async function http(): Promise<number> {
  const server = fastify();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
  server.post('/kv/*', (_request, reply) => {
    void reply.code(204).send();
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const address = server.server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

process.stdout.write(`${process.argv[2] === 'grpc' ? await grpc() : await http()}\n`);
