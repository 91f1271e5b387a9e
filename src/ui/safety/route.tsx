/** Who hands signed payments to the network: the cosigner, or a server of the user's own. What that hides, and what not. */
import { useEffect, useState } from 'preact/hooks';
import { countText } from '../amounts.ts';
import { useCall } from '../device.tsx';
import type { Host } from '../extensionHost.ts';
import { NETWORK_NAMES } from '../networkNames.ts';
import { Segmented } from '../parts/controls.tsx';
import { Heading } from '../parts/frame.tsx';
import { FailureNotice, FieldError, Notice } from '../parts/notice.tsx';
import { wordsOfServer } from '../words.ts';
import type { Unlocked } from './page.tsx';

const WAYS = [
  ['cosigner', 'Your cosigner'],
  ['own', 'A server that you name'],
] as const;

export function RouteScreen({ state, host }: { state: Unlocked; host: Host }) {
  const { route, network } = state.wallet;
  const [way, setWay] = useState<'cosigner' | 'own'>(route === null ? 'cosigner' : 'own');
  const [url, setUrl] = useState(route?.url ?? '');
  const [tested, setTested] = useState<{ height: number } | null>(null);
  const choose = useCall('setRoute');
  const test = useCall('testRoute');
  // As it is kept, which may be spelt otherwise than it was typed.
  useEffect(() => {
    if (route !== null) setUrl(route.url);
  }, [route?.url]);
  const own = way === 'own';
  const inUse = own ? route?.ours === true && route.url === url.trim() : route === null;

  const forget = () => {
    setTested(null);
    choose.reset();
    test.reset();
  };
  const look = async () => {
    if (test.busy || url.trim() === '') return;
    setTested(null);
    setTested(await test.run({ url }));
  };
  const use = async () => {
    if (choose.busy || inUse || (own && url.trim() === '')) return;
    await choose.run({ url: own ? url : null });
  };
  const allow = async () => {
    if (await host.askToRead(url)) await look();
  };
  const bad = [choose.error, test.error].find((error) => error?.code === 'BadConfiguration') ?? null;
  const unread = test.error?.detail === 'connection';
  return (
    <section class="stack form-column">
      <div class="stack stack--2">
        <Heading class="display">Who sends your payments</Heading>
        <p class="lede">
          A signed payment still has to be handed to the network. Whoever does it cannot change it, and can
          only leave it undone.
        </p>
      </div>
      {route?.ours === false && (
        <Notice tone="caution" icon="alert">
          <b>This server was not chosen here.</b> It was chosen for the wallet before this one, or before this
          browser’s share was made anew, or written by somebody else. Nothing is sent until you choose.
        </Notice>
      )}
      <div class="cluster">
        <Segmented
          label="Who sends"
          value={way}
          options={WAYS}
          onChange={(next) => {
            setWay(next);
            forget();
          }}
        />
      </div>
      {own ? (
        <>
          <div class="field">
            <label class="field__label" for="route-url">
              Its address{' '}
              <span class="caption">an Esplora server for {NETWORK_NAMES[network]}, up to /api</span>
            </label>
            <div class={bad === null ? 'input' : 'input input--bad'}>
              <input
                id="route-url"
                class="code"
                value={url}
                autocomplete="off"
                autocapitalize="off"
                spellcheck={false}
                placeholder="https://"
                aria-invalid={bad !== null}
                aria-describedby={bad === null ? undefined : 'route-error'}
                onInput={(event) => {
                  setUrl(event.currentTarget.value);
                  forget();
                }}
              />
            </div>
            {bad !== null && (
              <FieldError id="route-error" code={bad.code}>
                {wordsOfServer(bad).happened} {wordsOfServer(bad).next}
              </FieldError>
            )}
          </div>
          <p class="small">
            <b class="strong">What it hides:</b> the network sees your payments come from that server, not
            from your cosigner’s node, and your cosigner cannot hold them back.{' '}
            <b class="strong">What not:</b> your cosigner still reads each payment when it signs, and that
            server learns each one and the network address that it came from.
          </p>
          <p class="small">
            When it does not answer, nobody else is asked: the payment waits here, signed, is tried again, and
            is sent by your cosigner only if you press for it.
          </p>
        </>
      ) : (
        <p class="small">
          Its node hands each payment to the network the moment it is signed. It has read it by then in any
          case.
        </p>
      )}
      {choose.error !== null && choose.error !== bad && <FailureNotice failure={choose.error} />}
      {test.error !== null && test.error !== bad && (
        <FailureNotice
          failure={test.error}
          words={wordsOfServer(test.error)}
          {...(unread ? { retryName: 'Let this browser read its answers', onRetry: () => void allow() } : {})}
        />
      )}
      {tested !== null && (
        <Notice tone="ok" icon="check">
          <b>
            It works: {NETWORK_NAMES[network]}, block {countText(tested.height)}.
          </b>{' '}
          It was given a transaction of a coin that does not exist and refused it, as it should.
        </Notice>
      )}
      {inUse && (
        <Notice tone="ok" icon="check">
          <b>In use.</b> {own ? 'This server' : 'Your cosigner'} is given every payment, those too that wait.
        </Notice>
      )}
      <div class="cluster">
        {!inUse && (
          <button
            type="button"
            class="btn btn--primary"
            aria-disabled={choose.busy || (own && url.trim() === '')}
            onClick={() => void use()}
          >
            {own ? 'Send through this server' : 'Send through your cosigner'}
          </button>
        )}
        {own && (
          <button
            type="button"
            class="btn btn--second"
            aria-disabled={test.busy || url.trim() === ''}
            onClick={() => void look()}
          >
            {test.busy ? 'Asking it…' : 'Test it'}
          </button>
        )}
      </div>
    </section>
  );
}
