/**
 * Calls of every kind against a server that is about to stop, and what became of each: an answer of
 * the server, the certainty that it was never begun (a refused connection or stream), or neither.
 */
import { Agent, request } from 'node:http';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as healthService, protoPath } from 'grpc-health-check';

const PROTO = new URL('../../../proto/kv.proto', import.meta.url).pathname;
const LOADED = loadSync([PROTO, protoPath], { defaults: true, longs: Number });
const METHODS = LOADED['kv.Kv'] as unknown as Record<string, Method>;
const HEALTH = healthService as unknown as Record<string, Method>;
const CALL_MS_MAX = 60_000;
/** HTTP/2's REFUSED_STREAM is a server's word that it has not begun the call. */
const NEVER_BEGUN = /ECONNREFUSED|No connection established|^Stream refused by server$/;

interface Method {
  path: string;
  requestSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): object;
}

export class DrainLoad {
  /** By kind and code. */
  readonly answers = new Map<string, number>();
  refused = 0;
  /** What a drain must not leave behind. */
  readonly unanswered: string[] = [];
  /** Keys whose write was acknowledged. */
  readonly written: string[] = [];
  readonly #clients: Client[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  readonly #grpc: string;
  readonly #http: string | undefined;
  readonly #loops: Promise<void>[] = [];
  #isOver = false;
  #next = 0;

  /** Without an HTTP address there are no calls over HTTP. */
  constructor(grpcAddress: string, httpAddress: string | undefined) {
    this.#grpc = grpcAddress;
    this.#http = httpAddress;
  }

  get count(): number {
    return [...this.answers.values()].reduce((sum, n) => sum + n, 0);
  }

  start(): void {
    for (let i = 0; i < 6; i++) this.#repeat(() => this.#unary(this.#client(), 'Set'));
    for (let i = 0; i < 2; i++) this.#repeat(() => this.#unary(this.#client(), 'Get'));
    for (let i = 0; i < 2; i++) this.#repeat(() => this.#scan(this.#client()));
    if (this.#http !== undefined) {
      for (let i = 0; i < 4; i++) this.#repeat(() => this.#put());
    }
    for (let i = 0; i < 2; i++) this.#loops.push(this.#ingest(this.#newClient()));
    this.#loops.push(this.#watch(this.#newClient()));
  }

  /** Resolves when every call has ended, as each does once the server is gone. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    for (const client of this.#clients) client.close();
    this.#agent.destroy();
  }

  /** A call at a time, until one is not begun, or all is over. */
  #repeat(call: () => Promise<'answered' | 'gone'>): void {
    const loop = async () => {
      while ((await call()) === 'answered' && !this.#isOver);
    };
    this.#loops.push(loop());
  }

  /** Few connections for many calls, as clients have it. */
  #client(): Client {
    return this.#clients[this.#next++ % 3] ?? this.#newClient();
  }

  #newClient(): Client {
    const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0 };
    const client = new Client(this.#grpc, credentials.createInsecure(), options);
    this.#clients.push(client);
    return client;
  }

  #answered(kind: string, code: number | string): 'answered' {
    const name = `${kind} ${code}`;
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
    return 'answered';
  }

  #failed(kind: string, error: ServiceError): 'answered' | 'gone' {
    const own = error.metadata?.get('stormkv-code')[0];
    if (own !== undefined) return this.#answered(kind, String(own));
    if (NEVER_BEGUN.test(error.details ?? '')) this.refused++;
    else this.unanswered.push(`${kind}: ${error.code} ${error.details}`);
    return 'gone';
  }

  #unary(client: Client, name: 'Set' | 'Get'): Promise<'answered' | 'gone'> {
    const { path, requestSerialize, responseDeserialize } = METHODS[name] as Method;
    const key = `drain/${this.#next++}`;
    const body = name === 'Set' ? { key, value: Buffer.from(key) } : { key: 'seed/1' };
    const options = { deadline: Date.now() + CALL_MS_MAX };
    return new Promise((resolve) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        body,
        options,
        (error) => {
          if (error !== null) return resolve(this.#failed(name, error));
          if (name === 'Set') this.written.push(key);
          return resolve(this.#answered(name, 'OK'));
        },
      );
    });
  }

  #scan(client: Client): Promise<'answered' | 'gone'> {
    const { path, requestSerialize, responseDeserialize } = METHODS['Scan'] as Method;
    const body = { prefix: Buffer.from('seed/'), pageBytesMax: 2000 };
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      body,
    );
    return this.#endOf('Scan', stream);
  }

  #endOf(kind: string, stream: ClientReadableStream<object>): Promise<'answered' | 'gone'> {
    return new Promise((resolve) => {
      stream.on('data', () => {});
      // Says the status in any case; errors are for those who do not ask.
      stream.on('error', () => {});
      stream.once('status', (end: ServiceError) => {
        resolve(end.code === 0 ? this.#answered(kind, 'OK') : this.#failed(kind, end));
      });
    });
  }

  /** Sends the next batch when the one before is answered; the stream ends with the server. */
  #ingest(client: Client): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = METHODS['Ingest'] as Method;
    const stream: ClientDuplexStream<object, object> = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
    );
    let keys: string[] = [];
    const send = () => {
      keys = Array.from({ length: 5 }, () => `drain/${this.#next++}`);
      stream.write({ entries: keys.map((key) => ({ key, value: Buffer.from(key) })) });
    };
    stream.on('data', (answer: { errors: unknown[] }) => {
      this.#answered('Ingest batch', answer.errors.length === 0 ? 'OK' : 'refused');
      if (answer.errors.length === 0) this.written.push(...keys);
      send();
    });
    send();
    return new Promise((resolve) => {
      // Says of the batch that is open that it was not applied.
      stream.once('error', (error: ServiceError) => {
        this.#failed('Ingest', error);
        resolve();
      });
    });
  }

  async #watch(client: Client): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = HEALTH['Watch'] as Method;
    const body = { service: 'kv.Kv' };
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      body,
    );
    const seen: string[] = [];
    stream.on('data', (answer: { status: string }) => seen.push(answer.status));
    await this.#endOf('Watch', stream);
    if (seen.at(-1) !== 'NOT_SERVING') this.unanswered.push(`Watch: last saw ${seen.at(-1)}`);
  }

  /** Goes elsewhere, as a balancer does, once an answer says that its connection ends. */
  #put(): Promise<'answered' | 'gone'> {
    const key = `drain/${this.#next++}`;
    const [host, port] = this.#http?.split(':') ?? [];
    const options = { host, port, path: `/kv/${key}`, method: 'PUT', agent: this.#agent };
    return new Promise((resolve) => {
      const call = request(options, (response) => {
        response.resume();
        response.once('close', () => {
          if (response.statusCode === 200) this.written.push(key);
          const isLast = response.headers.connection === 'close';
          const answered = this.#answered('PUT', response.statusCode ?? 0);
          resolve(isLast ? 'gone' : answered);
        });
      });
      call.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') this.refused++;
        else this.unanswered.push(`PUT: ${error.code} ${error.message}`);
        resolve('gone');
      });
      call.end(key);
    });
  }
}
