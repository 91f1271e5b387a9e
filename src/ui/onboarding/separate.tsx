/** Where the words are made: in this page, or, first of all for whoever plans to keep more, on another device. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { PairingView } from '../../device/port.ts';
import { type Failure, failureOf, useClient } from '../device.tsx';
import { ReadMessage } from '../offline/read.tsx';
import { ShowMessage } from '../offline/show.tsx';
import { Icon } from '../parts/icon.tsx';
import { NO_SHARES } from '../parts/mark.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import type { FormingPlan } from './forming.ts';
import { FormingStep } from './formingStep.tsx';
import { Page } from './page.tsx';
import { ERRANDS, type Errand, RemoteRecovery } from './remoteRecovery.ts';

export function PaperStep({ onBack, onChoose }: { onBack: () => void; onChoose: (much: boolean) => void }) {
  return (
    <Page
      step={2}
      shares={NO_SHARES}
      title="How much do you plan to keep here?"
      lede="It decides where your recovery words are made."
      note="If this very browser were under somebody’s control today, words made in this page could be read. Words made on another device could not."
      foot={
        <button type="button" class="btn btn--quiet" onClick={onBack}>
          Back
        </button>
      }
    >
      <div class="columns columns--2">
        <button type="button" class="choice choice--tall" onClick={() => onChoose(true)}>
          <span class="grow">
            <b class="title">More than I would carry in a pocket</b>
            <br />
            <span class="small">Make the words on another device. This browser never sees them.</span>
          </span>
        </button>
        <button type="button" class="choice choice--tall" onClick={() => onChoose(false)}>
          <span class="grow">
            <b class="title">What I would carry in a pocket</b>
            <br />
            <span class="small">Make the words in this page, which wipes them after a few minutes.</span>
          </span>
        </button>
      </div>
    </Page>
  );
}

export function SeparateStep({
  onBack,
  onHere,
  onDone,
}: {
  onBack: () => void;
  /** The words are made in this page all the same. */
  onHere: () => void;
  onDone: () => void;
}) {
  return (
    <Page
      step={2}
      shares={NO_SHARES}
      title="Make the words on another device"
      lede="The recovery page makes them there, with no network. This browser and it pass five messages, by QR code, file or text."
      note="Ten minutes are enough once it has begun. After that the cosigner forgets, and it begins again."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Back
          </button>
          <button type="button" class="btn btn--quiet" onClick={onHere}>
            Make them in this page all the same
          </button>
          <span class="spacer" />
          <button type="button" class="btn btn--primary" onClick={onDone}>
            The recovery page is open
          </button>
        </>
      }
    >
      <ul class="bullets">
        <li>
          <Icon name="save" />
          <span>
            <b>Take the file hoarfrost-recovery.html</b> of this release to a device that you trust, and
            compare its SHA-256 with the published one.
          </span>
        </li>
        <li>
          <Icon name="offline" />
          <span>
            <b>Turn its network off</b> and open the file in a private window.
          </span>
        </li>
        <li>
          <Icon name="pen" />
          <span>
            <b>Have pen and paper ready.</b> The page can print the sheet; the words you write by hand.
          </span>
        </li>
      </ul>
    </Page>
  );
}

export function SeparateForming({
  plan,
  cosignerHost,
  onStop,
  onDone,
}: {
  plan: Omit<FormingPlan, 'words'>;
  cosignerHost: string | null;
  onStop: (failure: Failure | null) => void;
  onDone: () => void;
}) {
  const client = useClient();
  const [pairing, setPairing] = useState<PairingView | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    client.call('readPairing', { uri: plan.uri }).then(setPairing, (e) => setFailure(failureOf(e)));
  }, [client, plan.uri]);
  if (failure !== null)
    return <FailureNotice failure={failure} retryName="Back" onRetry={() => onStop(failure)} />;
  return pairing === null ? null : <Remote {...{ plan, cosignerHost, onStop, onDone, pairing }} />;
}

function Remote({
  plan,
  pairing,
  cosignerHost,
  onStop,
  onDone,
}: Parameters<typeof SeparateForming>[0] & { pairing: PairingView }) {
  const [errand, setErrand] = useState<Errand | null>(null);
  const [wrong, setWrong] = useState(false);
  const recovery = useMemo(
    () =>
      new RemoteRecovery(pairing, (next) => {
        setWrong(false);
        setErrand(next);
      }),
    [],
  );
  const whole = useMemo(() => ({ ...plan, words: [] }), []);
  return (
    <FormingStep plan={whole} recovery={recovery} cosignerHost={cosignerHost} onStop={onStop} onDone={onDone}>
      {errand !== null && (
        <div class="columns columns--2" key={errand.number}>
          <div class="stack">
            <b class="strong">
              Message {errand.number} of {ERRANDS}: take it to the recovery page
            </b>
            <ShowMessage message={errand.message} name={`hoarfrost-setup-${errand.number}.txt`} />
          </div>
          {errand.awaits === null ? (
            <div class="stack">
              <p class="text">
                The recovery page checks that your words open the share of the finished record.
              </p>
              <button type="button" class="btn btn--primary" onClick={() => recovery.seen()}>
                It says that the three shares are made
              </button>
            </div>
          ) : (
            <div class="stack">
              <ReadMessage
                label="Its answer"
                onMessage={(message) => {
                  try {
                    recovery.hear(message);
                  } catch {
                    setWrong(true);
                  }
                }}
              />
              {wrong && (
                <Notice tone="caution" icon="alert">
                  <b>This is not the answer to the message beside.</b> It was not used. Bring the one that the
                  recovery page shows now.
                </Notice>
              )}
            </div>
          )}
        </div>
      )}
    </FormingStep>
  );
}
