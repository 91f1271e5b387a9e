/**
 * The newest of the database server's timelines that any instance has seen, kept beside the keys that all of them share. Whoever
 * takes up a newer one says so here first; an old primary that lives on, or comes back, is on an older one and refused. Only what
 * is outside of every database can tell the two apart, for each of them says that it is the primary.
 */
import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoarfrostError } from '../../protocol/errors.ts';
import { syncFolder } from '../keyFile.ts';

export interface Fence {
  /** 0 where none was seen yet. */
  newest(): Promise<number>;
  /** Durable when it resolves. Never lowers it. */
  raise(timeline: number): Promise<void>;
}

const NAME = /^timeline-(\d+)$/;

/** One empty file a timeline, so that of two instances at once neither undoes the other. Throws `StoreUnavailable`. */
export function fenceIn(folder: string): Fence {
  return {
    newest: () =>
      guarded(async () => {
        const names = await readdir(folder).catch((e: NodeJS.ErrnoException) => {
          if (e.code === 'ENOENT') return [];
          throw e;
        });
        return Math.max(0, ...names.map((name) => Number(NAME.exec(name)?.[1] ?? 0)));
      }),
    raise: (timeline) =>
      guarded(async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await (await open(join(folder, `timeline-${timeline}`), 'a', 0o600)).close();
        await syncFolder(folder);
      }),
  };
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new HoarfrostError('StoreUnavailable', { detail: 'key store', cause });
  }
}
