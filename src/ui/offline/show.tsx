/** A message on its way out of this page: as a QR code, in parts shown in turn if it is large; as a file; as text. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { OfflineMessage } from '../../protocol/offline.ts';
import { offlineCodes, offlineText } from '../../protocol/offlineText.ts';
import { CopyButton } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { Qr } from '../parts/qr.tsx';

/** A camera reads four codes a second without missing many. */
const TURN_MS = 250;

export function ShowMessage({ message, name }: { message: OfflineMessage; name: string }) {
  const codes = useMemo(() => offlineCodes(message), [message]);
  const text = useMemo(() => offlineText(message), [message]);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    setTurn(0);
    if (codes.length < 2) return;
    const timer = setInterval(() => setTurn((at) => (at + 1) % codes.length), TURN_MS);
    return () => clearInterval(timer);
  }, [codes]);
  const code = codes[turn] ?? codes[0];
  return (
    <section class="card stack offline-message" aria-label="Message">
      {code === undefined ? (
        <p class="small">This message is too large for QR codes. Take it across as a file.</p>
      ) : (
        <>
          <div class="qr-plate qr-plate--message">
            <Qr text={code} dense label="QR code of the message" />
          </div>
          <p class="caption centred">
            {codes.length === 1
              ? 'Hold it before the other camera.'
              : `${codes.length} codes in turn: hold them before the other camera until it has all.`}
          </p>
        </>
      )}
      <div class="cluster">
        <button type="button" class="btn btn--second" onClick={() => save(text, name)}>
          <Icon name="save" /> Save as a file
        </button>
        <CopyButton text={text} name="Copy as text" kind="second" />
      </div>
    </section>
  );
}

/** As a download, so that no page learns where it went. */
export function save(text: string, name: string, type = 'text/plain'): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has the bytes by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
