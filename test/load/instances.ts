/** One, two and three cosigners over one PostgreSQL, and what the database itself costs. */

import { readFileSync } from 'node:fs';
import { startPostgres } from '../../scripts/setup/postgres.ts';
import { cpuOfFamily, openHouse, type ServerProcess } from './server.ts';
import { prepare, saturate } from './traffic.ts';

export interface Beside {
  readonly instances: number;
  readonly perSecond: number;
  /** Milliseconds of processor a signature: of the instances, of PostgreSQL, and of this process that asks. */
  readonly cosignerMs: number;
  readonly databaseMs: number;
  readonly askerMs: number;
}

/** Requests are `count` for each. `wallets` ask at once; with one alone it is the way of a single wallet's row. */
export async function besideEachOther(most: number, count: number, wallets: number): Promise<Beside[]> {
  const database = await startPostgres();
  const found: Beside[] = [];
  try {
    for (let instances = 1; instances <= most; instances++) {
      await database.sql(`CREATE DATABASE load${instances}`);
      const house = await openHouse({ settings: { store: database.url(`load${instances}`) } });
      const servers: ServerProcess[] = [];
      try {
        for (let i = 0; i < instances; i++) servers.push(await house.start());
        // What is compiled once is not counted.
        await saturate(servers, await prepare(servers, wallets, Math.ceil(count / wallets), true));
        const loaded = await prepare(servers, wallets, Math.ceil(count / wallets), true);
        const postmaster = parentOf(Number(await database.sql('SELECT min(pid) FROM pg_stat_activity')));
        const [databaseBefore, askerBefore] = [cpuOfFamily(postmaster), process.cpuUsage()];
        const done = await saturate(servers, loaded);
        const asker = process.cpuUsage(askerBefore);
        found.push({
          instances,
          perSecond: done.count / done.seconds,
          cosignerMs: (1000 * done.cpuSeconds) / done.count,
          databaseMs: (1000 * (cpuOfFamily(postmaster) - databaseBefore)) / done.count,
          askerMs: (asker.user + asker.system) / 1000 / done.count,
        });
      } finally {
        for (const server of servers) await server.stop();
        await house.close();
      }
    }
    return found;
  } finally {
    await database.stop();
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}
