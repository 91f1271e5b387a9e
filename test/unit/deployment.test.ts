/** The files that deploy a cosigner say only what is there: paths of this repository, settings and commands of this program. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/setup/paths.ts';
import { COMMANDS, helpText, readConfig } from '../../src/cosigner/config.ts';

/** Settings of the process's memory, which no program of ours reads. */
const MEMORY = ['GLIBC_TUNABLES', 'NODE_OPTIONS'];
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const exists = (name: string) => existsSync(join(root, name));
const variable = (flag: string) => `HOARFROST_${flag.toUpperCase().replaceAll('-', '_')}`;
const variables = new Set([...helpText().matchAll(/--([a-z-]+) [A-Z]/g)].map(([, name]) => variable(name!)));

type Yaml = string | Yaml[] | { [name: string]: Yaml };

/** As much of YAML as compose.yaml uses: maps and lists by indentation, one-line scalars, lists in brackets. */
function parseYaml(text: string): Yaml {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  const indentOf = (line: string) => line.length - line.trimStart().length;
  const scalar = (value: string): Yaml =>
    value === '{}'
      ? {}
      : value.startsWith('[')
        ? (JSON.parse(value) as string[])
        : value.replace(/^"(.*)"$/, '$1');
  function block(indent: number): Yaml {
    if (lines[0]!.trimStart().startsWith('- ')) {
      const items: Yaml[] = [];
      while (lines[0] !== undefined && indentOf(lines[0]) === indent)
        items.push(scalar(lines.shift()!.trim().slice(2)));
      return items;
    }
    const map: { [name: string]: Yaml } = {};
    while (lines[0] !== undefined && indentOf(lines[0]) === indent) {
      const [, name, value] = /^([\w-]+):(?: (.*))?$/.exec(lines.shift()!.trim())!;
      if (value !== undefined) map[name!] = scalar(value);
      else map[name!] = block(indentOf(lines[0]!));
      if (lines[0] !== undefined && indentOf(lines[0]) > indent) throw new Error(`indentation: ${lines[0]}`);
    }
    return map;
  }
  const whole = block(0);
  if (lines.length > 0) throw new Error(`not read: ${lines[0]}`);
  return whole;
}

test('the settings of this program are known here', () => {
  expect(variables.size).toBeGreaterThan(15);
  expect(variables).toContain('HOARFROST_TLS_CERT');
});

describe('audit-14 containers', () => {
  const instructions = read('Dockerfile')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/));
  const of = (name: string) => instructions.filter(([word]) => word === name);
  const variablesOfImage = of('ENV').flatMap((words) =>
    [
      ...words
        .slice(1)
        .join(' ')
        .matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g),
    ].map(([, name, quoted, bare]) => [name, quoted ?? bare]),
  );

  test('the Dockerfile copies what is there, and what .dockerignore lets in', () => {
    const ignored = read('.dockerignore').trim().split('\n');
    expect(ignored[0]).toBe('*');
    const copied = of('COPY').filter(([, first]) => !first!.startsWith('--from'));
    const sources = copied.flatMap((words) => words.slice(1, -1));
    expect(sources).toContain('src');
    for (const source of sources) {
      expect(exists(source), source).toBe(true);
      expect(ignored, source).toContain(`!${source}`);
    }
    for (const line of ignored.filter((line) => /^\w/.test(line))) expect(exists(line), line).toBe(true);
  });

  test('it runs this program on the Node that the package asks for, not as root', () => {
    const [, ...entry] = of('ENTRYPOINT')[0]!;
    const [program, script] = JSON.parse(entry.join(' ')) as string[];
    expect([program, exists(script!)]).toEqual(['node', true]);
    const [command] = JSON.parse(of('CMD')[0]!.slice(1).join(' ')) as string[];
    expect(Object.keys(COMMANDS)).toContain(command);
    const needed = /\d+/.exec(
      (JSON.parse(read('package.json')) as { engines: { node: string } }).engines.node,
    )![0];
    for (const [, image] of of('FROM')) expect(image).toMatch(new RegExp(`^node:${needed}-`));
    expect(of('USER')).toEqual([['USER', 'node']]);
    for (const [name] of variablesOfImage) {
      if (name !== 'NODE_ENV' && !MEMORY.includes(name!)) expect(variables).toContain(name);
    }
    // What the load run measures is the unit's memory; the image must have the same.
    for (const name of MEMORY) {
      const set = `${name}=${Object.fromEntries(variablesOfImage)[name]}`;
      expect(read('docs/hoarfrost-cosigner.service').replaceAll('"', '')).toContain(`Environment=${set}\n`);
    }
    expect(of('EXPOSE')[0]).toEqual(['EXPOSE', String(readConfig([], {}).port)]);
  });

  test('compose.yaml starts PostgreSQL first, and names settings and files that are there', () => {
    const compose = parseYaml(read('compose.yaml')) as any;
    const { postgres, cosigner } = compose.services;
    expect(postgres.image).toMatch(/^postgres:\d+/);
    // The server that its entrypoint runs while it makes the database would answer too.
    expect(postgres.healthcheck.test[1]).toContain('grep -qx postgres /proc/1/comm && pg_isready');
    expect(cosigner.init).toBe('true');
    expect(cosigner.depends_on.postgres.condition).toBe('service_healthy');
    expect(exists(join(cosigner.build, 'Dockerfile'))).toBe(true);
    for (const name of Object.keys(cosigner.environment)) expect(variables).toContain(name);
    const folders = Object.keys(compose.volumes);
    for (const mounted of [...postgres.volumes, ...cosigner.volumes] as string[]) {
      const [source] = mounted.split(':');
      expect(source === './tls' || folders.includes(source!), mounted).toBe(true);
    }
    const env = Object.fromEntries(
      Object.entries(cosigner.environment as Record<string, string>).map(([name, value]) => [
        name,
        value.replace(/\$\{[^}]+\}/g, 'password'),
      ]),
    );
    expect(readConfig([], { ...parseEnv(read('docs/cosigner.env')), ...env }).store.kind).toBe('postgres');
    expect(String(env.HOARFROST_METRICS).split(':')[1]).toBe(cosigner.expose[0]);
    expect(Number.parseInt(cosigner.stop_grace_period, 10)).toBeGreaterThan(30);
  });
});

describe('systemd', () => {
  const unit = read('docs/hoarfrost-cosigner.service');
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)![1]!;

  test('the unit starts this program with flags that it knows', () => {
    const [node, script, command, ...flags] = setting('ExecStart').split(' ');
    expect(node).toBe('/usr/bin/node');
    expect(exists(script!)).toBe(true);
    expect(setting('WorkingDirectory')).toBe('/opt/hoarfrost');
    const local = flags.map((word) =>
      word === '/etc/hoarfrost/cosigner.env' ? join(root, 'docs/cosigner.env') : word,
    );
    const config = readConfig([command!, ...local], {});
    expect(config).toMatchObject({
      command: 'serve',
      dataFolder: `/var/lib/${setting('StateDirectory')}`,
      network: 'signet',
    });
    expect(Number(setting('TimeoutStopSec'))).toBeGreaterThan(30);
    expect(exists(setting('Documentation').replace('file:///opt/hoarfrost/', ''))).toBe(true);
  });
});

describe('the guide', () => {
  const guide = read('docs/operators.md');

  test('names commands, settings and files that are there', () => {
    const flags = [...guide.matchAll(/--([a-z]+(?:-[a-z]+)*)/g)].map(([, name]) => name!);
    const notOurs = ['omit', 'env-file', 'name', 'stop-timeout', 'init', 'rm'];
    const unknown = flags.filter(
      (flag) => !notOurs.includes(flag) && !variables.has(variable(flag)) && flag !== 'help',
    );
    expect(unknown).toEqual([]);
    for (const [, command] of guide.matchAll(/src\/cosigner\/main\.ts (\w[\w-]*)/g)) {
      expect(Object.keys(COMMANDS)).toContain(command);
    }
    for (const [, file] of guide.matchAll(/\]\(([^)]+)\)/g))
      expect(exists(join('docs', file!)), file).toBe(true);
  });
});
