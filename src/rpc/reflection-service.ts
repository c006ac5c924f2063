/**
 * The standard reflection service (v1 and v1alpha), by which tools such as grpcurl learn the schema
 * from a running server. The only importer of @grpc/reflection; runs on a router thread.
 */
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HEALTH_PROTO } from './health-service.js';

const PROTO_FILES = ['kv.proto', 'kv_admin.proto', 'kv_feed.proto'].map((name) =>
  fileURLToPath(new URL(`../../../proto/${name}`, import.meta.url)),
);

/** Reads the shipped proto files. */
export function addReflection(host: Parameters<ReflectionService['addToServer']>[0]): void {
  const definition = loadSync([...PROTO_FILES, HEALTH_PROTO], { keepCase: true });
  new ReflectionService(definition).addToServer(host);
}
