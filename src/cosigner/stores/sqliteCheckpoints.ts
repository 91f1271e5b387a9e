/**
 * The thread of `Checkpoints`: copies the log of the database it is given into it, again for what was committed meanwhile, until
 * nothing is left, for only then does SQLite begin the log anew.
 */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** Where commits never pause, the next time goes on. */
const ROUNDS = 8;
const BUSY_MS = 1000;

const db = new DatabaseSync(workerData as string, { timeout: BUSY_MS });
db.exec('PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -64');
const passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');

parentPort!.on('message', (asked: 'checkpoint' | 'close') => {
  if (asked === 'close') {
    db.close();
    parentPort!.close();
    return;
  }
  for (let round = 0; round < ROUNDS; round++) {
    const { log, checkpointed } = passive.get() as { log: number; checkpointed: number };
    if (log === checkpointed) break;
  }
  parentPort!.postMessage('done');
});
