import { expect, test } from 'vitest';
import { boundRates } from '../../src/chain/feeRates.ts';

test('audit-20: estimates are kept within bounds and in order, whatever a server says', () => {
  expect(boundRates({ fast: 5000, medium: 3000, slow: 1500 }, 1000)).toEqual({
    fast: 5000,
    medium: 3000,
    slow: 1500,
    floor: 1000,
  });
  // Absurdly high, out of order, below the floor, unknown.
  expect(boundRates({ fast: 1e12, medium: 1e12, slow: 1 }, 1e12)).toEqual({
    fast: 1_000_000,
    medium: 1_000_000,
    slow: 100_000,
    floor: 100_000,
  });
  expect(boundRates({ fast: 2000, medium: 9000, slow: 8000 }, 0)).toEqual({
    fast: 2000,
    medium: 2000,
    slow: 2000,
    floor: 100,
  });
  expect(boundRates({ fast: null, medium: null, slow: null }, 1000)).toEqual({
    fast: 3000,
    medium: 2000,
    slow: 1000,
    floor: 1000,
  });
  expect(boundRates({ fast: 1, medium: 1, slow: 1 }, 4000).slow).toBe(4000);
  expect(boundRates({ fast: 1000.4, medium: 1000.2, slow: 1000.1 }, 999.5)).toEqual({
    fast: 1001,
    medium: 1001,
    slow: 1001,
    floor: 1000,
  });
});
