/** What a message asks of the words, in full, before one is typed. */
import { hex } from '@scure/base';
import { rateText, satsText } from '../amounts.ts';
import { NetworkBadge } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Address, Amount, Fingerprint } from '../parts/money.tsx';
import { Notice } from '../parts/notice.tsx';
import { dateText, waitText } from '../times.ts';
import type { Asked, AskedOf } from './tools.ts';

export const TITLES: Record<Asked['kind'], string> = {
  payment: 'Co-sign with your device',
  drill: 'Recovery drill',
  repair: 'Help make a new share',
  kit: 'A new recovery kit',
  act: 'Say so with your words',
  birth: 'The words of a new wallet',
};

/** The last press: what it does. */
export const ACTIONS: Record<Asked['kind'], string> = {
  payment: 'Sign this payment',
  drill: 'Sign the note',
  repair: 'Help with this share',
  kit: 'Make the kit',
  act: 'Sign with these words',
  birth: 'Join with these words',
};

export function AskedCard({ asked }: { asked: Asked }) {
  switch (asked.kind) {
    case 'payment':
      return <Payment asked={asked} />;
    case 'drill':
      return (
        <>
          <Notice tone="ok" icon="check">
            <b>Moves no money.</b> It signs “{asked.message}” and nothing else.
          </Notice>
          <section class="card">
            <dl class="facts">
              <div>
                <dt>Dated</dt>
                <dd>{dateText(asked.at)}</dd>
              </div>
              <div>
                <dt>Network</dt>
                <dd>
                  <NetworkBadge network={asked.network} />
                </dd>
              </div>
              <div class="facts__wide">
                <dt>For the first address of this wallet</dt>
                <dd>
                  <Address address={asked.address} />
                </dd>
              </div>
            </dl>
          </section>
        </>
      );
    case 'repair':
      return (
        <>
          <Notice tone="caution" icon="alert">
            <b>Whoever has this fingerprint gets the {asked.target} share.</b> Compare it with the screen of
            your new {asked.target}, every group, before you type a word.
          </Notice>
          <section class="card stack">
            <div class="between">
              <b class="strong">Your new {asked.target}</b>
              <NetworkBadge network={asked.network} />
            </div>
            <Fingerprint hex={asked.fingerprint} />
          </section>
        </>
      );
    case 'kit':
      return (
        <Notice tone="info" icon="paper">
          <b>{asked.made ? 'Your new words take over.' : 'New words for the same wallet.'}</b>{' '}
          {asked.made
            ? 'Type them from the new paper. Once it is done, the old paper opens nothing any more.'
            : 'Addresses and balance stay as they are. Write the words down; the wallet asks for them once more when the old paper is to be replaced.'}
        </Notice>
      );
    case 'act':
      return <Act act={asked.act} />;
    case 'birth':
      return <Birth asked={asked} />;
  }
}

/** What it opens, whose keys it names. */
function Act({ act }: Pick<AskedOf<'act'>, 'act'>) {
  if (act.kind === 'freeze') {
    return (
      <Notice tone="caution" icon="alert">
        <b>Stops all payments at once.</b> Nothing leaves the wallets of these words until you undo it in the
        browser.
      </Notice>
    );
  }
  if (act.kind === 'say') {
    return (
      <Notice tone="caution" icon="alert">
        {act.says === 'approve' ? (
          <>
            <b>Approves what another part of your wallet asked for.</b> Two of three act at once.
          </>
        ) : (
          <>
            <b>Contests what another part of your wallet asked for.</b> It cannot happen until this is
            settled.
          </>
        )}
      </Notice>
    );
  }
  const { purpose, network } = act;
  const newcomer =
    purpose.kind === 'replaceDevice'
      ? { name: 'device', hostKey: purpose.hostKey }
      : purpose.kind === 'replaceKit'
        ? { name: 'recovery words', hostKey: purpose.hostKey }
        : null;
  if (newcomer === null) {
    return (
      <Notice tone="caution" icon="alert">
        <b>Would loosen the limits of your wallet.</b> Sign only if you chose new limits in the browser just
        now.
      </Notice>
    );
  }
  return (
    <>
      <Notice tone="caution" icon="alert">
        <b>Whoever has this fingerprint may become your {newcomer.name}.</b> Compare it with the screen of
        your new {newcomer.name}, every group, before you type a word. The others are told, and may contest.
      </Notice>
      <section class="card stack">
        <div class="between">
          <b class="strong">Your new {newcomer.name}</b>
          <NetworkBadge network={network} />
        </div>
        <Fingerprint hex={hex.encode(newcomer.hostKey)} />
      </section>
    </>
  );
}

function Payment({ asked }: { asked: AskedOf<'payment'> }) {
  const away = asked.outputs.filter(({ own }) => !own);
  const back = asked.outputs.reduce((sum, { own, value }) => (own ? sum + value : sum), 0n);
  return (
    <section class="card" aria-label="What this payment does">
      <dl class="facts">
        <div>
          <dt>
            Leaves your wallet
            <span class="caption">
              spends {asked.coins === 1 ? '1 coin' : `${asked.coins} coins`}, share epoch {asked.epoch}
            </span>
          </dt>
          <dd>
            <b class="strong">
              <Amount sats={asked.leaves} />
            </b>
          </dd>
        </div>
        {away.map(({ address, script, value }, i) => (
          <div class="facts__wide" key={i}>
            <dt class="between">
              <span>To</span>
              <b class="strong">
                <Amount sats={value} />
              </b>
            </dt>
            <dd>
              {address === null ? (
                <span class="code">A script without an address: {script}</span>
              ) : (
                <Address address={address} />
              )}
            </dd>
          </div>
        ))}
        <div>
          <dt>
            Fee
            <span class="caption">{rateText(asked.feeRate)}</span>
          </dt>
          <dd>
            <Amount sats={asked.fee} />
          </dd>
        </div>
        {back > 0n && (
          <div>
            <dt>Comes back to you</dt>
            <dd>
              <Amount sats={back} />
            </dd>
          </div>
        )}
        <div>
          <dt>Network</dt>
          <dd>
            <NetworkBadge network={asked.network} />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Birth({ asked }: { asked: AskedOf<'birth'> }) {
  const { dailyLimit, delay, contact } = asked.terms;
  return (
    <>
      <Notice tone="info" icon="info">
        <b>Are these the terms that you chose in the browser?</b> The words join a wallet on these terms and
        no other.
      </Notice>
      <section class="card">
        <dl class="facts">
          <div>
            <dt>Network</dt>
            <dd>
              <NetworkBadge network={asked.network} />
            </dd>
          </div>
          <div>
            <dt>Daily limit</dt>
            <dd>{satsText(dailyLimit)}</dd>
          </div>
          <div>
            <dt>One of three alone waits</dt>
            <dd>{waitText(delay)}</dd>
          </div>
          <div>
            <dt>Contact</dt>
            <dd>{contact === null ? 'none' : contact.replace(/^mailto:/, '')}</dd>
          </div>
          <div class="facts__wide">
            <dt>
              <Icon name="server" small /> Cosigner {asked.host}
            </dt>
            <dd>
              <Fingerprint hex={asked.fingerprint} />
            </dd>
          </div>
        </dl>
      </section>
    </>
  );
}
