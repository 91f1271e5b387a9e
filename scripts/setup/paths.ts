import { join } from 'node:path';

/** The root of the repository. */
export const root = join(import.meta.dirname, '../..');

/** Everything got or made on this machine; git-ignored, and safe to delete. */
export const cache = join(root, '.cache');
