/** The drill: device and words sign a dated note together. It shows that the paper can be read and its share still fits. */
import { useState } from 'preact/hooks';
import type { WalletView } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import { Heading } from '../parts/frame.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { dateText } from '../times.ts';
import { Exchange } from './exchange.tsx';

export function Drill({ wallet }: { wallet: WalletView }) {
  const ask = useCall('drillRequest');
  const finish = useCall('drillFinish');
  const [request, setRequest] = useState<{ message: Uint8Array; at: number } | null>(null);
  const [done, setDone] = useState<number | null>(null);

  const start = async () => {
    finish.reset();
    setRequest(await ask.run(null));
  };
  const answer = async (message: Uint8Array) => {
    const drilled = await finish.run({ message });
    if (drilled !== null) setDone(drilled.at);
  };
  if (done !== null) {
    return (
      <>
        <Heading class="display">The drill went well</Heading>
        <Notice tone="ok" icon="check">
          <b>Your words and this browser signed together on {dateText(done)}.</b> The signature was checked
          and is kept with its date. No money moved.
        </Notice>
      </>
    );
  }
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Recovery drill</Heading>
        <p class="lede">A paper nobody has read is a hope, not a backup.</p>
        <p class="text">
          Your words sign a dated note together with this browser. It moves no money.{' '}
          {wallet.lastDrill === null
            ? 'You have not done it yet.'
            : `Last time: ${dateText(wallet.lastDrill)}.`}
        </p>
      </div>
      {ask.error !== null && <FailureNotice failure={ask.error} onRetry={() => void start()} />}
      {finish.error !== null && (
        <FailureNotice
          failure={finish.error}
          retryName="Start the drill again"
          onRetry={() => void start()}
        />
      )}
      {request === null ? (
        <div>
          <button type="button" class="btn btn--primary" onClick={() => void start()}>
            Start the drill
          </button>
        </div>
      ) : (
        <Exchange
          request={request.message}
          name="hoarfrost-drill.txt"
          onAnswer={(message) => void answer(message)}
        />
      )}
    </>
  );
}
