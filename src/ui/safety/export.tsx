/** One file with all that is public of this wallet, what it is for, and what it cannot do. */
import { useState } from 'preact/hooks';
import { decode } from '../../protocol/codec.ts';
import { ensure } from '../../protocol/errors.ts';
import { type OfflineMessage, offlineMessage } from '../../protocol/offline.ts';
import { offlineText } from '../../protocol/offlineText.ts';
import { readExported } from '../../protocol/publicState.ts';
import { type Failure, failureOf, useCall } from '../device.tsx';
import { save } from '../offline/show.tsx';
import { Heading } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';

interface Saved {
  name: string;
  records: number;
  policies: number;
  /** Null: the cosigner did not answer, or what it told is broken. */
  receipts: number | null;
}

export function ExportScreen() {
  const ask = useCall('exportState');
  const [saved, setSaved] = useState<Saved | null>(null);
  const [unwritten, setUnwritten] = useState<Failure | null>(null);
  const keep = async () => {
    if (ask.busy) return;
    setUnwritten(null);
    const answer = await ask.run(null);
    if (answer === null) return;
    try {
      setSaved(write(decode(offlineMessage, Uint8Array.from(answer.message))));
    } catch (e) {
      setUnwritten(failureOf(e));
    }
  };
  const failure = ask.error ?? unwritten;
  return (
    <section class="stack form-column">
      <div class="stack stack--2">
        <Heading class="display">Export what is public</Heading>
        <p class="lede">One file with all that this browser knows of the wallet and that is no secret.</p>
      </div>
      <p class="small">
        <b class="strong">What is in it:</b> the record of the wallet’s birth and its descriptor, the records
        of its shares, its rules, your cosigner’s address and keys with its receipts, and your settings.
      </p>
      <p class="small">
        <b class="strong">What it is for:</b> should this browser be lost, and your cosigner’s records turn
        out to be damaged, the new share is made with the help of this file. It is of the shares as they are
        today: save it again after a refresh.
      </p>
      <Notice icon="info">
        <b>It spends nothing, not even with your words.</b> No share and no key is in it, locked or not.
        Whoever has it sees all your addresses, amounts and rules.
      </Notice>
      {failure !== null && <FailureNotice failure={failure} />}
      {saved !== null && (
        <Notice tone="ok" icon="check">
          <b>Saved as {saved.name}.</b> {countOf(saved.records, 'record')} of the shares,{' '}
          {countOf(saved.policies, 'version')} of the rules,{' '}
          {saved.receipts === null
            ? 'no receipts: your cosigner did not tell them'
            : countOf(saved.receipts, 'receipt')}
          .
        </Notice>
      )}
      <div>
        <button type="button" class="btn btn--primary" aria-disabled={ask.busy} onClick={() => void keep()}>
          <Icon name="save" /> {ask.busy ? 'Gathering…' : 'Save the file'}
        </button>
      </div>
    </section>
  );
}

/** As a download. Throws `TooLarge`, and for a message that is no export. */
function write(message: OfflineMessage): Saved {
  ensure(message.kind === 'exported', 'WrongSession');
  const { at, bundle, policies, receipts } = readExported(message);
  const name = `hoarfrost-public-${new Date(at).toISOString().slice(0, 10)}.txt`;
  save(offlineText(message), name);
  const records = bundle.copies[0]?.length ?? 0;
  return { name, records, policies: policies.length + 1, receipts: receipts?.length ?? null };
}

function countOf(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
