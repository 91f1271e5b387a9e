import { expect, test } from 'vitest';
import { systemClock } from '../../src/cosigner/clock.ts';
import { createLog } from '../../src/cosigner/log.ts';

test('no txid, key or address, though a node or server says it of a transaction', () => {
  const lines: string[] = [];
  const log = createLog('info', systemClock, (line) => lines.push(line));
  const named = [
    `insufficient fee, rejecting replacement ${'0a'.repeat(32)}`,
    'payee bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6',
  ];
  for (const detail of [...named, 'txn-mempool-conflict']) log.info('request refused', { detail });
  expect(lines.map((line) => JSON.parse(line).detail)).toEqual([
    undefined,
    undefined,
    'txn-mempool-conflict',
  ]);
});
