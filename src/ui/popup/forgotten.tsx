/** A forgotten password is a lost device: what that means, and the way on. */
import type { DeviceState } from '../../device/port.ts';
import type { Host } from '../extensionHost.ts';
import { NetworkBadge, SubBar } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Mark } from '../parts/mark.tsx';
import { Notice } from '../parts/notice.tsx';

export function Forgotten({
  state,
  host,
  onBack,
}: {
  state: Extract<DeviceState, { phase: 'locked' }>;
  host: Host;
  onBack: () => void;
}) {
  const key = state.securityKey !== null;
  return (
    <>
      <SubBar title={key ? 'Password or key gone' : 'Forgotten password'} onBack={onBack}>
        <NetworkBadge network={state.network} />
      </SubBar>
      <main class="screen">
        <div class="cluster cluster--3 cluster--line">
          <Mark shares={{ ...state.shares, device: 'lost' }} size="lg" />
          <p class="small">
            <b class="strong">It is the same as a lost device.</b> Nobody can reset it, not even your
            cosigner.
          </p>
        </div>
        <Notice tone="ok" icon="check">
          <b>Your money is safe.</b> Your cosigner and your recovery words are two of three. Together they
          give this browser a new share, and the old one stops working.
        </Notice>
        <section class="card stack stack--2">
          <h2 class="label">What you need</h2>
          <ul class="stack stack--2 plain-list">
            <li class="cluster cluster--line small">
              <Icon name="paper" /> Your recovery words, typed on the recovery page, never here
            </li>
            <li class="cluster cluster--line small">
              <Icon name="server" /> A pairing link from your cosigner
            </li>
            <li class="cluster cluster--line small">
              <Icon name="wait" /> Time: the words alone wait for days, so that a thief of the paper is not
              quicker than you
            </li>
          </ul>
        </section>
        <p class="small">
          {state.returning
            ? 'A new share is under way. Until it is here the old password still opens the old one.'
            : 'Perhaps it comes back to you: try as often as you like, also while you wait.'}
        </p>
      </main>
      <div class="actions">
        <button type="button" class="btn btn--primary" onClick={() => void host.openReplacement()}>
          {state.returning ? 'See how far the new share is' : 'Replace this device'}
        </button>
        <button type="button" class="btn btn--quiet" onClick={onBack}>
          Try the password again
        </button>
      </div>
    </>
  );
}
