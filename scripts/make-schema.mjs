#!/usr/bin/env node
// Writes what is made from the option table: kv.config.schema.json (for editors), kv.config.json
// (all defaults) and the tables in docs/CONFIGURATION.md.
// Usage: node scripts/make-schema.mjs [--dist DIR] [--check]
//   --dist DIR  the compiled output to read the table from (default: dist)
//   --check     writes nothing; exit 1 when a file is not current
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { toJsonSchema } from '@valibot/to-json-schema';

const root = resolve(import.meta.dirname ?? '.', '..');
const { values: args } = parseArgs({
  options: {
    dist: { type: 'string', default: 'dist' },
    check: { type: 'boolean', default: false },
  },
});
const configDir = join(root, args.dist, 'src', 'config');
const { CONFIG_PATHS, OPTION_OF, envNameOf } = await load('option-table.js');
const { fileSchema, expectationOf } = await load('option-schema.js');

const TABLES_START = '<!-- tables made by scripts/make-schema.mjs -->';
const TABLES_END = '<!-- end of the tables -->';

let stale = 0;
put('kv.config.schema.json', json(schema()));
put('kv.config.json', json(defaults()));
put('docs/CONFIGURATION.md', withTables(read('docs/CONFIGURATION.md')));
process.exitCode = stale === 0 ? 0 : 1;

function load(name) {
  return import(pathToFileURL(join(configDir, name)).href);
}

function schema() {
  // Checks that have no counterpart in JSON Schema (a port's size) are left to the program.
  const { $schema, ...rest } = toJsonSchema(fileSchema(), { errorMode: 'ignore' });
  return { $schema, title: 'stormkv configuration', ...rest };
}

function defaults() {
  const tree = { $schema: './kv.config.schema.json' };
  for (const path of CONFIG_PATHS) {
    const [section, name] = path.split('.');
    tree[section] ??= {};
    tree[section][name] = OPTION_OF[path].default;
  }
  return tree;
}

function withTables(text) {
  const start = text.indexOf(TABLES_START);
  const end = text.indexOf(TABLES_END);
  if (start < 0 || end < start) throw new Error('docs/CONFIGURATION.md has lost its marks');
  return `${text.slice(0, start)}${TABLES_START}\n${tables()}\n${text.slice(end)}`;
}

function tables() {
  const lines = [];
  let current = '';
  for (const path of CONFIG_PATHS) {
    const [section] = path.split('.');
    if (section !== current) {
      lines.push('', `### ${section}`, '', '| option | default | must be | meaning |');
      lines.push('|---|---|---|---|');
      current = section;
    }
    const option = OPTION_OF[path];
    const names = [`\`${path}\``, `\`${envNameOf(path)}\``];
    if (option.flag !== undefined) names.push(`\`${option.flag}\``);
    const value = `\`${JSON.stringify(option.default)}\``;
    const meaning = option.reloads === true ? `${option.help} *Reloads.*` : option.help;
    lines.push(`| ${names.join('<br>')} | ${value} | ${expectationOf(option)} | ${meaning} |`);
  }
  return `${lines.join('\n')}\n`;
}

function json(value) {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function read(name) {
  try {
    return readFileSync(join(root, name), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

function put(name, text) {
  if (read(name) === text) return;
  if (args.check) {
    console.error(`${name} is not current: run node scripts/make-schema.mjs`);
    stale++;
    return;
  }
  writeFileSync(join(root, name), text);
  console.log(`wrote ${name}`);
}
