/** The kit as it prints: a sheet to write the words on by hand. Nothing secret is in the print job. */
import { Qr } from '../parts/qr.tsx';
import { dateText } from '../times.ts';
import type { AskedOf } from './tools.ts';

const WORDS = 12;

export function KitSheet({ asked, version }: { asked: AskedOf<'birth'>; version: string }) {
  return (
    <section class="kit" aria-label="The kit, as it prints">
      <div class="kit__head">
        <b>Hoarfrost recovery kit</b>
        <span>{dateText(Date.now())}</span>
      </div>
      <ol class="kit__words">
        {Array.from({ length: WORDS }, (_, i) => (
          <li key={i}>{i + 1}</li>
        ))}
      </ol>
      <div class="kit__foot">
        <Qr text={`hoarfrost-kit ${asked.host} ${asked.fingerprint}`} label="Names the cosigner" />
        <div>
          <p>
            <b>Write the words by hand.</b> The printer never sees them. The square names the cosigner; no
            secret is in it.
          </p>
          <p>
            Cosigner {asked.host}
            <br />
            Made with recovery page {version}, {asked.network}
          </p>
          <p>
            These words are typed on the recovery page and nowhere else. Before you type them, compare the
            page’s SHA-256 with the published one.
          </p>
        </div>
      </div>
    </section>
  );
}
