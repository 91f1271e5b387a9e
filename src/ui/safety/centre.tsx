/** The whole picture: three shares with their state, what keeps them well, and what waits for an answer. */
import type { ComponentChildren } from 'preact';
import type { EpochView, ShardState } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { SHARE_WORDS } from '../parts/controls.tsx';
import { Heading } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { Mark, Shardlet } from '../parts/mark.tsx';
import { Fingerprint } from '../parts/money.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { dateText } from '../times.ts';
import { wordsFor } from '../words.ts';
import { CeremonyCards, useCeremonies } from './ceremonies.tsx';
import { ContactRow, FreezeRow } from './freeze.tsx';
import type { Unlocked } from './page.tsx';
import { BrokenReceipts } from './receipts.tsx';
import { LinkRow, PressRow, Row } from './row.tsx';
import { useCanUseSecurityKeys } from './securityKey.tsx';

/** Days after which a paper should be read again. */
const DRILL_DAYS = 90;
const DAY = 24 * 60 * 60_000;

export function Centre({ state, host }: { state: Unlocked; host: Host }) {
  const { shares, wallet, securityKey } = state;
  const heard = useCeremonies(wallet.ceremonies, wallet.rulesVersion);
  const { title, text } = summaryOf(state, heard.answer?.frozen === true);
  return (
    <>
      <section class="cluster cluster--4 safety-head">
        <Mark shares={shares} size="xl" label={healthText(state)} />
        <div class="grow stack stack--2">
          <Heading class="display">{title}</Heading>
          <p class="lede measure-lede">{text}</p>
        </div>
      </section>
      {wallet.receiptsBroken && <BrokenReceipts />}
      {wallet.epoch.alert !== null && <EpochAlert code={wallet.epoch.alert} host={host} />}
      <CeremonyCards
        heard={heard}
        known={wallet.ceremonies}
        onLeave={() => void host.openPage('offline.html')}
      />
      <div class="columns">
        <ShareCard name="Device" state={shares.device} words={SHARE_WORDS.device[shares.device]}>
          <p class="small">
            This browser.{' '}
            {securityKey === null
              ? 'Locked with your password.'
              : 'Locked with your password and a security key.'}
          </p>
          <a class="link" href="#password">
            Change the password <Icon name="next" />
          </a>
          <SecurityKeyLink present={securityKey !== null} />
        </ShareCard>
        <ShareCard name="Cosigner" state={shares.cosigner} words={SHARE_WORDS.cosigner[shares.cosigner]}>
          <p class="small">{wallet.cosignerHost}</p>
          <Fingerprint hex={wallet.fingerprint} />
          <p class="caption">Compare it with what its operator shows.</p>
        </ShareCard>
        <ShareCard
          paper
          name="Recovery"
          state={shares.recovery}
          words={SHARE_WORDS.recovery[shares.recovery]}
        >
          <p class="small">
            Your recovery words.{' '}
            {wallet.lastDrill === null
              ? 'Not read back since they were made.'
              : `Read back on ${dateText(wallet.lastDrill)}.`}
          </p>
          <p class="caption">They are typed on the recovery page alone, never here.</p>
        </ShareCard>
      </div>
      <div class="columns columns--2">
        <div class="card card--flush list">
          <RefreshRow epoch={wallet.epoch} away={shares.cosigner === 'away'} />
          <DrillRow
            lastDrill={wallet.lastDrill}
            onStart={() => void host.openPage('offline.html', '#drill')}
          />
          <ContactRow heard={heard} />
          <LinkRow
            icon="list"
            title="Receipts"
            sub="What your cosigner signed and refused"
            href="#receipts"
          />
          <FreezeRow heard={heard} away={shares.cosigner === 'away'} />
        </div>
        <div class="card card--flush list">
          <LinkRow icon="pen" title="Rules" sub="Limits, payments that wait, who may be paid" href="#rules" />
          <PressRow
            icon="out"
            title="Spend without the cosigner"
            sub="This browser and your words are two of three"
            onPress={() => void host.openPage('offline.html')}
          />
          <PressRow
            icon="server"
            title="Move to another cosigner"
            sub="With your words; the one before forgets its share"
            onPress={() => void host.openPage('offline.html', '#move')}
          />
          <PressRow
            icon="paper"
            title="New recovery words"
            sub="When the paper is lost, or somebody has seen it"
            onPress={() => void host.openPage('offline.html', '#kit')}
          />
          <LinkRow
            icon="save"
            title="Export"
            sub="For the day this browser is gone. No share, no key"
            href="#export"
          />
        </div>
      </div>
    </>
  );
}

function healthText({ shares }: Unlocked): string {
  return [
    `Device: ${SHARE_WORDS.device[shares.device]}`,
    `cosigner: ${SHARE_WORDS.cosigner[shares.cosigner]}`,
    `recovery: ${SHARE_WORDS.recovery[shares.recovery]}`,
  ].join(', ');
}

function summaryOf({ shares, wallet }: Unlocked, frozen: boolean): { title: string; text: string } {
  if (wallet.epoch.alert === 'EpochStale') {
    return {
      title: 'This browser was set back',
      text: 'Its share is from before the last refresh and signs nothing. Your money is safe.',
    };
  }
  if (wallet.epoch.alert === 'NotEnrolled') {
    return {
      title: 'This browser is not known',
      text: 'Its share signs nothing with your cosigner, be it that another browser has taken its place. Your money is safe.',
    };
  }
  if (shares.cosigner === 'away') {
    return {
      title: 'Your cosigner does not answer',
      text: 'Your money is safe: nobody spends with one share. If it stays away, this browser and your words move everything.',
    };
  }
  if (wallet.ceremonies.some(({ openedBy }) => openedBy !== 'device')) {
    return {
      title: 'Something is asked of you',
      text: 'One of the three has asked for a change. Was it you? It changes nothing before the wait is over.',
    };
  }
  if (wallet.receiptsBroken) {
    return {
      title: 'Ask your cosigner',
      text: 'Your three shares are there, but what it told you does not fit together.',
    };
  }
  if (frozen) {
    return {
      title: 'Payments are frozen',
      text: 'Your cosigner signs nothing until that is lifted. Your money stays where it is, and you can receive.',
    };
  }
  return {
    title: 'All three are well',
    text: 'Any two sign. Lose any one and you still have your money; replace it before you lose a second.',
  };
}

function ShareCard({
  name,
  state,
  words,
  paper = false,
  children,
}: {
  name: string;
  state: ShardState;
  words: string;
  paper?: boolean;
  children: ComponentChildren;
}) {
  const tone =
    state === 'lit'
      ? ' badge--ok'
      : state === 'away'
        ? ' badge--caution'
        : state === 'lost'
          ? ' badge--danger'
          : '';
  return (
    <section class={paper ? 'card card--paper sharecard' : 'card sharecard'} aria-label={name}>
      <div class="sharecard__head">
        <Shardlet state={state} />
        <h2 class="title">{name}</h2>
        <span class={paper ? 'badge badge--paper' : `badge${tone}`}>
          {state === 'lit' && <Icon name="check" />}
          {state === 'away' && <Icon name="offline" />}
          {state === 'lost' && <Icon name="alert" />}
          {words}
        </span>
      </div>
      {children}
    </section>
  );
}

/** Only where it can be used, or is used already. */
function SecurityKeyLink({ present }: { present: boolean }) {
  const able = useCanUseSecurityKeys();
  if (!present && able !== true) return null;
  return (
    <a class="link" href="#security-key">
      {present ? 'Password and security key' : 'Add a security key'} <Icon name="next" />
    </a>
  );
}

/** What a refresh brings is said where it is asked for; while one is in doubt, that nothing is lost. */
function RefreshRow({ epoch, away }: { epoch: EpochView; away: boolean }) {
  const refresh = useCall('refreshShares');
  const busy = refresh.busy || epoch.underWay;
  const never = epoch.changedAt === null;
  const failure =
    refresh.error ?? (epoch.error === null ? null : { code: epoch.error, detail: '', retryAfterMs: 0 });
  return (
    <>
      <Row
        icon="refresh"
        tone="accent"
        title={
          never
            ? 'Shares as they were made'
            : `Last refresh: no. ${epoch.number}, ${dateText(epoch.changedAt!)}`
        }
        sub={
          epoch.unfinished
            ? 'The last one is not finished. Nothing is lost: it goes on when your cosigner answers.'
            : epoch.alert === null
              ? `A share stolen before a refresh no longer fits. Next: ${dateText(epoch.dueAt)}, by itself.`
              : 'Not from this browser, as long as its records are not the cosigner’s.'
        }
      >
        <button
          type="button"
          class="btn btn--second btn--sm"
          aria-disabled={busy || away || epoch.alert !== null}
          onClick={() => busy || away || epoch.alert !== null || void refresh.run(null)}
        >
          {busy ? 'Refreshing…' : 'Refresh now'}
        </button>
      </Row>
      {failure !== null && !busy && (
        <div class="row-notice">
          <FailureNotice failure={failure} />
        </div>
      )}
    </>
  );
}

function EpochAlert({ code, host }: { code: NonNullable<EpochView['alert']>; host: Host }) {
  const { happened, safe, next } = wordsFor(code);
  return (
    <Notice tone="danger" icon="alert">
      <b>{happened}</b> {safe} {next}
      {code !== 'HeadsDiffer' && (
        <div>
          <button type="button" class="link" onClick={() => void host.openReplacement()}>
            Replace this device <Icon name="next" />
          </button>
        </div>
      )}
    </Notice>
  );
}

function DrillRow({ lastDrill, onStart }: { lastDrill: number | null; onStart: () => void }) {
  const due = lastDrill === null || Date.now() - lastDrill > DRILL_DAYS * DAY;
  return (
    <Row
      icon="paper"
      tone="paper"
      title={lastDrill === null ? 'Recovery drill: not done yet' : `Recovery drill: ${dateText(lastDrill)}`}
      sub={
        due
          ? 'A paper nobody has read is a hope, not a backup. It takes five minutes, on the recovery page.'
          : `Next by ${dateText(lastDrill + DRILL_DAYS * DAY)}. On the recovery page, five minutes.`
      }
    >
      <button type="button" class="btn btn--second btn--sm" onClick={onStart}>
        Start drill
      </button>
    </Row>
  );
}
