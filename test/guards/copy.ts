/** A copy of the working tree in which guards are taken out: what is edited and built there, nobody else sees. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { run } from '../../scripts/setup/command.ts';
import { cache, root } from '../../scripts/setup/paths.ts';
import type { Change } from './guard.ts';

const MODULE = 'src/crypto/signer.wasm.generated.ts';
const BUILDS = join(cache, 'guards');
const MINUTE = 60_000;

/** How a test ended: `why` is the first line of its failure. */
export interface Ended {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'did not run';
  readonly why: string;
}

interface Report {
  testResults: {
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
}

export class Copy {
  readonly #folder = mkdtempSync(join(tmpdir(), 'hoarfrost-guards-'));

  constructor() {
    // What git ignores is made anew or linked.
    const ignored = readFileSync(join(root, '.gitignore'), 'utf8').split('\n');
    const left = new Set(['.git', ...ignored.map((name) => name.replace('/', ''))]);
    cpSync(root, this.#folder, {
      recursive: true,
      filter: (path) => path === root || !left.has(basename(path)),
    });
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
    const builds = join(cache, 'wasm');
    if (existsSync(builds)) cpSync(builds, join(this.#folder, '.cache/wasm'), { recursive: true });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** How often the text stands in the file; 0 when there is no such file. */
  count({ file, text }: Change): number {
    const path = join(this.#folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8').split(text).length - 1 : 0;
  }

  /** Runs `use` while the changes hold; the signer is built anew when they are in it. */
  async without<T>(changes: readonly Change[], use: () => Promise<T>): Promise<T> {
    const built = changes.some(({ file }) => file.startsWith('wasm/'));
    const touched = [...new Set([...changes.map(({ file }) => file), ...(built ? [MODULE] : [])])];
    const paths = touched.map((file) => join(this.#folder, file));
    const before = paths.map((path) => readFileSync(path, 'utf8'));
    try {
      for (const { file, text, becomes = '' } of changes) {
        const path = join(this.#folder, file);
        writeFileSync(
          path,
          readFileSync(path, 'utf8').replace(text, () => becomes),
        );
      }
      if (built) await this.#build();
      return await use();
    } finally {
      for (const [i, path] of paths.entries()) writeFileSync(path, before[i]!);
    }
  }

  /** The signer from the sources as they are here; kept, for the next run takes out the same. */
  async #build(): Promise<void> {
    const sources = join(this.#folder, 'wasm');
    const hash = createHash('sha256');
    for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' }).sort())
      if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(sources, name)));
    const kept = join(BUILDS, hash.digest('hex'));
    const module = join(this.#folder, MODULE);
    if (!existsSync(kept)) {
      await this.#node('wasm/build.ts');
      mkdirSync(BUILDS, { recursive: true });
      const fresh = `${kept}.${process.pid}`;
      cpSync(module, fresh);
      renameSync(fresh, kept);
    }
    cpSync(kept, module);
  }

  /** The whole names of all tests of these files, by file. */
  async names(files: readonly string[]): Promise<Map<string, string[]>> {
    const out = join(this.#folder, 'names.json');
    await this.#node(
      'node_modules/vitest/vitest.mjs',
      'list',
      ...files,
      '--no-static-parse',
      `--json=${out}`,
    );
    const listed = JSON.parse(readFileSync(out, 'utf8')) as { name: string; file: string }[];
    const names = new Map<string, string[]>(files.map((file) => [file, []]));
    for (const { name, file } of listed) names.get(file.slice(this.#folder.length + 1))?.push(name);
    return names;
  }

  /** Runs the tests of these names in one file, and nothing else. */
  async test(file: string, names: readonly string[]): Promise<Ended[]> {
    const out = join(this.#folder, 'report.json');
    rmSync(out, { force: true });
    // The names of groups and test may be joined either way.
    const either = (name: string) => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll(' > ', '( > | )');
    const pattern = names.map(either).join('|');
    const args = ['run', file, '-t', `(${pattern})$`, '--no-cache', '--reporter=json', `--outputFile=${out}`];
    // Red tests are why it is run: what came of each is in the report.
    const failed = await this.#node('node_modules/vitest/vitest.mjs', ...args).catch((error: Error) => error);
    if (!existsSync(out)) throw failed instanceof Error ? failed : new Error(`${file}: no report`);
    const { testResults } = JSON.parse(readFileSync(out, 'utf8')) as Report;
    const ran = testResults.flatMap(({ assertionResults }) => assertionResults);
    const broken = testResults.map(({ message }) => message).join(' ');
    return names.map((name) => {
      const result = ran.find(
        ({ fullName, status }) =>
          ` ${fullName}`.endsWith(` ${spoken(name)}`) && ['passed', 'failed'].includes(status),
      );
      if (result === undefined) return { name, state: 'did not run', why: firstLine(broken) };
      const why = firstLine(result.failureMessages?.[0] ?? '');
      return { name, state: result.status as 'passed' | 'failed', why };
    });
  }

  #node(...args: readonly string[]): Promise<string> {
    return run(process.execPath, args, { cwd: this.#folder, deadlineMs: 15 * MINUTE });
  }
}

/** As the runner joins the names of groups and test. */
const spoken = (name: string): string => name.replaceAll(' > ', ' ');
const firstLine = (text: string): string => text.split('\n')[0]!.slice(0, 200);
