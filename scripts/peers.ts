/** `npm run peers`: builds, once and outside the clone, the programs of others that some tests run against when they are found. */
import { getElectrs, peerCache } from './setup/electrs.ts';

console.log(`electrs … (a first build takes many minutes; it goes to ${peerCache})`);
console.log(`electrs: ${await getElectrs()}`);
