import { HoarfrostError } from '../protocol/errors.ts';
import * as json from './json.ts';

/** Reads what a node's `submitpackage` answered; a refusal is `BroadcastRejected`. */
export function checkPackage(answer: unknown): void {
  const result = json.object(answer, 'package');
  const message = json.string(result.package_msg, 1000, 'package');
  if (message === 'success') return;
  const errors = Object.values(json.object(result['tx-results'] ?? {}, 'package'))
    .map((tx) => json.object(tx).error)
    .filter((error) => error !== undefined)
    .map((error) => json.string(error, 10_000, 'error'));
  throw new HoarfrostError('BroadcastRejected', { detail: [message, ...errors].join('; ').slice(0, 200) });
}
