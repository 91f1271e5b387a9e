import { readFile } from 'node:fs/promises';
import { run } from './command.ts';

const MINUTE = 60_000;

/** The code name of this Debian release, or undefined where this is no Debian. */
export async function debianCodename(): Promise<string | undefined> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(release)?.[1];
  return field('ID') === 'debian' ? field('VERSION_CODENAME') : undefined;
}

/** Whether missing packages may be installed here: on Debian, as root. */
export async function mayInstall(): Promise<boolean> {
  return process.getuid?.() === 0 && (await debianCodename()) !== undefined;
}

/** Installs packages of this machine's own Debian release; refreshes the package lists only if it has to. */
export async function aptInstall(...packages: readonly string[]): Promise<void> {
  const install = () =>
    run(
      'apt-get',
      ['-y', '-o', 'DPkg::Lock::Timeout=120', '--no-install-recommends', 'install', ...packages],
      {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
        deadlineMs: 10 * MINUTE,
      },
    );
  try {
    await install();
  } catch {
    await run('apt-get', ['update'], { deadlineMs: 5 * MINUTE });
    await install();
  }
}

/** The mirrors from which this machine takes its own Debian release, in the order of its apt sources. */
export async function debianMirrors(): Promise<string[]> {
  const codename = await debianCodename();
  if (!codename) return [];
  const format = '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const targets = await run('apt-get', ['indextargets', '--format', format], { deadlineMs: MINUTE });
  const mirrors = targets
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([by, , release, component]) => by === 'Packages' && release === codename && component === 'main')
    .map(([, uri]) => uri!);
  return [...new Set(mirrors)];
}
