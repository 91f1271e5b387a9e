import { beforeAll, describe } from 'vitest';
import { findBitcoind } from '../../scripts/setup/bitcoind.ts';
import { Missing } from '../../scripts/setup/missing.ts';
import { findPostgres } from '../../scripts/setup/postgres.ts';
import { CERTUTIL, CHROMIUM, FIREFOX, findTool, OPENSSL } from '../../scripts/setup/tools.ts';
import { findCompiler } from './faultyKernel.ts';
import { findNamespaces } from './smallDisk.ts';

/** The parts of a machine that no package brings. */
const PARTS = {
  bitcoind: findBitcoind,
  chromium: () => findTool(CHROMIUM),
  firefox: () => findTool(FIREFOX),
  certutil: () => findTool(CERTUTIL),
  openssl: () => findTool(OPENSSL),
  postgres: findPostgres,
  namespaces: findNamespaces,
  compiler: findCompiler,
};

/**
 * `describe` for tests that need real parts. Where one is missing, they are skipped by a name that says which;
 * under CI they fail. Await it at the top level of a test file.
 */
export async function describeReal(
  name: string,
  parts: readonly (keyof typeof PARTS)[],
  tests: () => void,
): Promise<void> {
  const missing: Missing[] = [];
  for (const part of parts) {
    await PARTS[part]().catch((error) => {
      if (!(error instanceof Missing)) throw error;
      missing.push(error);
    });
  }
  if (missing.length === 0) {
    describe(name, tests);
  } else if (process.env.CI === 'true') {
    describe(name, () => {
      beforeAll(() => {
        throw new AggregateError(missing, missing.map(({ message }) => message).join('\n'));
      });
      tests();
    });
  } else {
    describe.skip(`${name} [missing: ${missing.map(({ thing }) => thing).join(', ')}]`, tests);
  }
}
