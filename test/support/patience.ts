/**
 * What each file of the quick groups begins with. `vi.waitFor` gives up after a second unless it is told otherwise, and on a machine
 * whose cores are all busy anything may take that long; what never comes fails all the same.
 */
import { vi } from 'vitest';

const PATIENCE_MS = 10_000;

const { waitFor } = vi;
vi.waitFor = (check, options = {}) =>
  waitFor(check, typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options });
