/** `npm run transcript`: records the protocol's transcript anew, after the protocol itself has changed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFolder, testFolder } from '../test/support/cosigner.ts';
import { makeTranscript } from '../test/support/transcript.ts';
import { root } from './setup/paths.ts';

const folder = testFolder();
try {
  const path = join(root, 'test/vectors/data/transcript.json');
  await writeFile(path, `${JSON.stringify(await makeTranscript(folder), null, 1)}\n`);
} finally {
  removeFolder(folder);
}
