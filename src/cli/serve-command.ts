import type { CommandSpec } from './command.js';
import { readLocalFileIfAny } from './local-files.js';
import { runServer } from './run-server.js';
import { CONFIG_FLAGS, serveConfig } from './serve-config.js';
import { notifierOf } from './service-manager.js';
import { packageVersion } from './version.js';

export const serveCommand: CommandSpec = {
  name: 'serve',
  summary: 'Run the server until SIGTERM or SIGINT',
  arguments: [],
  options: CONFIG_FLAGS,
  examples: [
    'stormkv serve',
    'stormkv serve --config kv.config.json --data-dir /var/lib/stormkv',
    'stormkv serve --shards 4 --grpc 127.0.0.1:0 --http 127.0.0.1:0',
    'STORMKV_WAL_SYNC=interval stormkv serve',
  ],
  async run(io, _args, options) {
    const files = { read: io.readFile, readIfAny: readLocalFileIfAny };
    const read = () => serveConfig(options, io.env, files);
    const { config, warnings } = read();
    for (const warning of warnings) io.say(`Warning: ${warning}`);
    // Loaded here, so that other commands and --help start without it.
    const { startCluster } = await import('../main.js');
    return runServer(config, {
      version: packageVersion(),
      pid: process.pid,
      print: (line) => io.out(`${line}\n`),
      say: io.say,
      onStopSignal(callback) {
        process.on('SIGTERM', callback);
        process.on('SIGINT', callback);
      },
      onReloadSignal: (callback) => void process.on('SIGHUP', callback),
      exitNow: (code) => process.exit(code),
      notify: notifierOf(io.env, io.say),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref()),
      start: (complete) => startCluster(complete, { readConfig: () => read().config }),
    });
  },
};
