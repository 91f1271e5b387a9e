/**
 * The image without an engine: the Dockerfile's own instructions by hand, then its program under what compose.yaml and the unit say of
 * it: a file system that is read-only but for its data, a user who is nobody, no capability, no new privilege.
 */
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isExecutable, onPath, run } from '../../scripts/setup/command.ts';
import { root } from '../../scripts/setup/paths.ts';
import { heard, type Running, start } from '../../scripts/setup/processes.ts';
import { generateNoiseKeyPair } from '../../src/protocol/noise.ts';
import { readPairing, startStillChain } from '../fault/served.ts';
import { Client, enrol, pay, testTls } from '../support/cosigner.ts';
import { describeReal } from '../support/real.ts';

const MINUTE = 60_000;
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const AS_NOBODY = isRoot
  ? [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      '--bounding-set=-all',
      '--inh-caps=-all',
    ]
  : ['setpriv'];
/** All is read-only from here on, but the folder named first. */
const SEALED = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift && exec "$@"';

await describeReal('the image', ['namespaces', 'openssl'], () => {
  let place: string;
  let app: string;
  let data: string;
  let chain: { url: string; stop(): Promise<void> };
  let instructions: string[][];
  const of = (name: string) => instructions.filter(([word]) => word === name).map(([, ...rest]) => rest);

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'hoarfrost-image-'));
    await chmod(place, 0o755);
    [app, data] = [join(place, 'app'), join(place, 'data')];
    await mkdir(app);
    await mkdir(data, { mode: 0o700 });
    if (isRoot) await chown(data, NOBODY, NOBODY);
    chain = await startStillChain();
    const text = await readFile(join(root, 'Dockerfile'), 'utf8');
    instructions = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/\s+/));
    const ignored = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n');
    const filter = (path: string) => !ignored.includes(relative(root, path));
    for (const words of of('COPY')) {
      if (words[0]!.startsWith('--from')) continue;
      for (const name of words.slice(0, -1))
        await cp(join(root, name), join(app, name), { recursive: true, filter });
    }
    const [npm, ...args] = of('RUN').find(([word]) => word === 'npm')!;
    await run(npm!, [...args, '--prefer-offline'], { cwd: app, deadlineMs: 3 * MINUTE });
  });
  afterAll(async () => {
    await chain?.stop();
    await rm(place, { recursive: true, force: true });
  });

  test('holds the product’s own packages and nothing else, and none of the browser’s half', async () => {
    expect(await readdir(join(app, 'src'))).toContain('cosigner');
    expect(await readdir(join(app, 'src'))).not.toContain('ui');
    const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const installed = await readdir(join(app, 'node_modules'));
    for (const name of Object.keys(dependencies)) expect(installed).toContain(name.split('/')[0]);
    for (const tool of ['typescript', 'vitest', 'wxt', 'assemblyscript'])
      expect(installed).not.toContain(tool);
  });

  test('serves a payment as nobody on a read-only file system, and ends on its STOPSIGNAL', async () => {
    const tls = await testTls;
    // Certificates of this user: whoever serves must read them.
    const own = join(data, 'tls');
    await mkdir(own);
    for (const file of [tls.certFile, tls.keyFile]) await cp(file, join(own, file.split('/').at(-1)!));
    const files = (await readdir(own)).map((name) => join(own, name));
    for (const file of [own, ...files]) if (isRoot) await chown(file, NOBODY, NOBODY);
    const inside = (file: string) => join(own, file.split('/').at(-1)!);
    const [program, script] = JSON.parse(of('ENTRYPOINT')[0]!.join(' ')) as string[];
    const [command] = JSON.parse(of('CMD')[0]!.join(' ')) as string[];
    const pairs = of('ENV').flatMap((words) => [...words.join(' ').matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)]);
    const settings = Object.fromEntries(pairs.map(([, name, quoted, bare]) => [name, quoted ?? bare]));
    const apart = isRoot ? [] : ['--user', '--map-current-user', '--keep-caps'];
    let served: Running | undefined;
    try {
      served = start(
        'unshare',
        [
          ...[...apart, '--mount', '--propagation', 'private', 'sh', '-c', SEALED, 'sh', data],
          ...[...AS_NOBODY, '--no-new-privs', '--'],
          program!,
          script!,
          command!,
          ...['--print-pairing', '--port=0', '--network=regtest', `--chain=${chain.url}`],
          ...[`--tls-cert=${inside(tls.certFile)}`, `--tls-key=${inside(tls.keyFile)}`],
        ],
        {
          cwd: app,
          env: {
            ...settings,
            HOARFROST_DATA: data,
            HOARFROST_HOST: '127.0.0.1',
            PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
          },
        },
      );
      const link = await heard('the image', served, (said) => /^(hoarfrost:\S+)$/m.exec(said)?.[1], MINUTE);
      const address = readPairing(link);
      const noise = await generateNoiseKeyPair();
      const client = await Client.connect(address, noise);
      await pay(client, await enrol(client, noise, address.token), 1000n);
      await client.close();
      const status = await readFile(`/proc/${served.child.pid}/status`, 'utf8');
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      if (isRoot) expect(status).toMatch(/^CapBnd:\s+0+$/m);
      const mounts = await readFile(`/proc/${served.child.pid}/mountinfo`, 'utf8');
      expect(mounts).toMatch(/^\S+ \S+ \S+ \S+ \/ ro\b/m);
      expect(of('STOPSIGNAL')).toEqual([['SIGTERM']]);
      await served.stop(40_000);
      expect(served.child.exitCode).toBe(0);
    } finally {
      await served?.stop(0);
    }
  });
});

const analyze = await onPath('systemd-analyze');
test.skipIf(!analyze || !(await isExecutable('/usr/bin/node')))(
  'systemd finds nothing wrong with the unit',
  async () => {
    const unit = join(root, 'docs/hoarfrost-cosigner.service');
    // What it complains of it says on standard error, and ends well.
    const verify = ['-c', 'exec "$0" verify --man=no "$1" 2>&1', analyze!, unit];
    const said = await run('sh', verify, { deadlineMs: MINUTE });
    expect(said.split('\n').filter((line) => line.includes('hoarfrost-cosigner'))).toEqual([]);
  },
);
