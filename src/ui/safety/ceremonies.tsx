/** What one of the three has asked for: who, until when, and how to stop it or let it happen at once. */
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CeremonyInfo, PortMethods } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import { Icon } from '../parts/icon.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { momentText, waitText } from '../times.ts';

const MINUTE = 60_000;

export interface Heard {
  /** Null until the cosigner was asked. */
  answer: PortMethods['ceremonies'][1] | null;
  /** By this browser's clock, when it said so: what is left is counted from here. */
  at: number;
  ask(): void;
}

/** What the cosigner says of ceremonies and rules; asked again whenever the device hears that something moved. */
export function useCeremonies(known: readonly CeremonyInfo[], rulesVersion: number): Heard {
  const call = useCall('ceremonies');
  const [heard, setHeard] = useState<Omit<Heard, 'ask'>>({ answer: null, at: 0 });
  const ask = useCallback(
    () => void call.run(null).then((answer) => answer !== null && setHeard({ answer, at: Date.now() })),
    [call.run],
  );
  const moved = known
    .map(({ id, phase, approvals, contests }) => [id, phase, approvals, contests].join())
    .join(';');
  useEffect(ask, [ask, moved, rulesVersion]);
  return { ...heard, ask };
}

/** The time now, anew every minute. */
function useMinutes(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), MINUTE);
    return () => clearInterval(timer);
  }, []);
  return now;
}

const TITLES: Record<CeremonyInfo['purpose'], string> = {
  replaceDevice: 'This device is being replaced',
  replaceKit: 'New recovery words are being made',
  loosenPolicy: 'Looser rules are asked for',
};
const EFFECTS: Record<CeremonyInfo['purpose'], string> = {
  replaceDevice: 'this browser’s share stops working',
  replaceKit: 'the words on your paper stop working',
  loosenPolicy: 'your cosigner may sign more than now',
};
const NAMES = { device: 'this browser', words: 'your recovery words', contact: 'your contact' } as const;

export function isLive({ phase }: CeremonyInfo): boolean {
  return phase === 'waiting' || phase === 'contested' || phase === 'ripe';
}

export function ceremonyTitle({ purpose }: CeremonyInfo): string {
  return TITLES[purpose];
}

export function CeremonyCards({
  heard,
  known,
  onLeave,
}: {
  heard: Heard;
  known: readonly CeremonyInfo[];
  /** To where this browser and the words spend without the cosigner. */
  onLeave: () => void;
}) {
  const now = useMinutes();
  const list = (heard.answer?.ceremonies ?? known).filter(isLive);
  return (
    <>
      {list.map((ceremony) => (
        <Card
          key={ceremony.id}
          ceremony={ceremony}
          endsAt={(heard.answer === null ? now : heard.at) + ceremony.leftMs}
          now={now}
          hasContact={heard.answer !== null && heard.answer.contact !== null}
          onLeave={onLeave}
        />
      ))}
    </>
  );
}

function Card({
  ceremony,
  endsAt,
  now,
  hasContact,
  onLeave,
}: {
  ceremony: CeremonyInfo;
  endsAt: number;
  now: number;
  hasContact: boolean;
  onLeave: () => void;
}) {
  const { id, purpose, openedBy, openedAt, approvals, contests, phase } = ceremony;
  const say = useCall('sayCeremony');
  const carryOut = useCall('carryOut');
  const [sure, setSure] = useState(false);
  const question = useRef<HTMLSpanElement>(null);
  // The button that was pressed is gone: the focus goes where its question is, and to no button.
  useLayoutEffect(() => question.current?.focus(), [sure]);
  const own = openedBy === 'device';
  const busy = say.busy || carryOut.busy;
  const stop = () => busy || void say.run({ id, says: 'contest' });
  const approve = () => busy || void say.run({ id, says: 'approve' });
  return (
    <section class="card stack ceremony" data-phase={phase} aria-label={TITLES[purpose]}>
      <div class="cluster cluster--3 cluster--line">
        <span class={own ? 'row__icon row__icon--caution' : 'row__icon row__icon--danger'}>
          <Icon name="bell" />
        </span>
        <div class="grow">
          <h2 class="title">{TITLES[purpose]}</h2>
          <p class="small">
            Asked for by {NAMES[openedBy]}, {momentText(openedAt, now)}.
            {approvals.filter((who) => who !== openedBy).map((who) => ` Approved by ${NAMES[who]}.`)}
            {contests.map((who) => ` Contested by ${NAMES[who]}.`)}
          </p>
        </div>
      </div>
      {phase === 'ripe' ? (
        <p class="small">
          <b class="strong">The wait is over.</b>{' '}
          {purpose === 'loosenPolicy'
            ? 'The rules change when you put them in force.'
            : 'Whoever asked may finish it now.'}
        </p>
      ) : (
        <>
          <Countdown
            endsAt={endsAt}
            now={now}
            label={phase === 'contested' ? 'Until the words win' : own ? 'To wait' : 'Time to stop it'}
          />
          <p class="small">
            {phase === 'contested'
              ? `Contested: until two of the three agree, this browser signs nothing. If nobody gives in, on ${momentText(endsAt, now)} ${EFFECTS[purpose]}.`
              : `On ${momentText(endsAt, now)} ${EFFECTS[purpose]}, unless one of the three stops it.`}
          </p>
        </>
      )}
      {!own && phase === 'waiting' && (
        <Notice icon="info">
          <b>Was it you?</b> Approve it here, and it happens at once. <b>Was it not?</b> Stop it: somebody has
          your {openedBy === 'words' ? 'words' : 'mail'}. It gains them nothing before the wait is over.
        </Notice>
      )}
      {openedBy === 'words' && phase === 'contested' && contests.includes('device') && (
        <Notice tone="caution" icon="paper">
          <b>Somebody has your words, and time is on their side.</b>{' '}
          {hasContact && 'Let your contact stop it too, by the link in its mail: two against it end it. '}
          Your own words still spend with this browser, at once: move the coins to where these words do not
          reach.{' '}
          <button type="button" class="link" onClick={onLeave}>
            Spend without the cosigner <Icon name="next" />
          </button>
        </Notice>
      )}
      {say.error !== null && <FailureNotice failure={say.error} />}
      {carryOut.error !== null && <FailureNotice failure={carryOut.error} />}
      <div class="cluster">
        {phase === 'ripe' && purpose === 'loosenPolicy' && (
          <button
            type="button"
            class="btn btn--primary btn--sm"
            aria-disabled={busy}
            onClick={() => busy || void carryOut.run({ id })}
          >
            Put the new rules in force
          </button>
        )}
        {!contests.includes('device') && (
          <button
            type="button"
            class={own ? 'btn btn--second btn--sm' : 'btn btn--danger btn--sm'}
            aria-disabled={busy}
            onClick={stop}
          >
            {own ? 'Call it off' : 'Not me. Stop it'}
          </button>
        )}
        {!own && !approvals.includes('device') && phase !== 'ripe' && !sure && (
          <button type="button" class="btn btn--quiet btn--sm" onClick={() => setSure(true)}>
            It was me…
          </button>
        )}
        {sure && !approvals.includes('device') && (
          <>
            <span class="small" tabIndex={-1} ref={question}>
              It then happens at once.
            </span>
            <button type="button" class="btn btn--second btn--sm" aria-disabled={busy} onClick={approve}>
              Approve it now
            </button>
            <button type="button" class="btn btn--quiet btn--sm" onClick={() => setSure(false)}>
              Not now
            </button>
          </>
        )}
      </div>
    </section>
  );
}

/** Two units, beside the date it ends on; told to a screen reader at most once a minute. */
function Countdown({ endsAt, now, label }: { endsAt: number; now: number; label: string }) {
  const left = Math.max(0, endsAt - now);
  return (
    <p class="countdown countdown--sm" role="timer" aria-label={label}>
      <span>
        <b>{left === 0 ? 'over' : waitText(Math.max(left, MINUTE + 1))}</b> <span>{label.toLowerCase()}</span>
      </span>
    </p>
  );
}
