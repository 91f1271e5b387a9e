/** What the cosigner may sign: limits, payments that wait, payees, and who is told. Less holds at once; more waits, or two agree. */
import { useEffect, useState } from 'preact/hooks';
import type { CeremonyInfo, PortMethods, Rules } from '../../device/port.ts';
import { DELAY_MS, readContact } from '../../protocol/terms.ts';
import { amountInput, parseAmount, satsText } from '../amounts.ts';
import { useCall } from '../device.tsx';
import { Exchange } from '../offline/exchange.tsx';
import { Heading } from '../parts/frame.tsx';
import { FailureNotice, FieldError, Notice } from '../parts/notice.tsx';
import { momentText, waitText } from '../times.ts';
import { Row } from './row.tsx';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOLD_HOURS_MAX = 24 * 366;

export function RulesScreen() {
  const read = useCall('rules');
  const [rules, setRules] = useState<Rules | null>(null);
  const [asked, setAsked] = useState<CeremonyInfo | null>(null);
  const [saved, setSaved] = useState(false);
  const look = () => void read.run(null).then((found) => found !== null && setRules(found));
  useEffect(look, []);

  if (asked !== null) return <Asked asked={asked} />;
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Rules</Heading>
        <p class="lede">
          Your cosigner keeps to them whatever this browser asks. Less holds at once. More has to wait, unless
          your words or your contact agree.
        </p>
      </div>
      {saved && (
        <Notice tone="ok" icon="check">
          <b>The rules are tighter now.</b> Your cosigner signs by them from this moment on.
        </Notice>
      )}
      {read.error !== null && <FailureNotice failure={read.error} onRetry={look} />}
      {rules === null ? (
        read.error === null && <p role="status">Asking the cosigner…</p>
      ) : (
        <div class="columns columns--side">
          <RulesForm
            key={JSON.stringify(rules, (_, value) => (typeof value === 'bigint' ? String(value) : value))}
            rules={rules}
            onDone={(ceremony) => {
              setSaved(ceremony === null);
              if (ceremony === null) look();
              else setAsked(ceremony);
            }}
          />
          <Holds />
        </div>
      )}
    </>
  );
}

/** As typed: empty is no bound. */
interface Draft {
  daily: string;
  single: string;
  above: string;
  hours: string;
  payees: string;
  contact: string;
  days: string;
}
type FieldName = keyof Draft;

function draftOf({ dailyLimit, perTransaction, hold, payees, contact, delayMs }: Rules): Draft {
  const sats = (amount: bigint | null | undefined) => (amount == null ? '' : amountInput(amount, 'sats'));
  return {
    daily: sats(dailyLimit),
    single: sats(perTransaction),
    above: sats(hold?.above),
    hours: hold === null ? '' : String(Math.ceil(hold.delayMs / HOUR_MS)),
    payees: payees?.join('\n') ?? '',
    contact: contact?.replace(/^mailto:/, '') ?? '',
    days: String(delayMs / DAY_MS),
  };
}

/** The rules as drafted, or the field that says nothing usable. */
function rulesFrom(draft: Draft, before: Rules): Rules | FieldName {
  const amount = (text: string) => (text.trim() === '' ? null : (parseAmount(text, 'sats') ?? 'bad'));
  const daily = amount(draft.daily);
  if (daily === 'bad') return 'daily';
  const single = amount(draft.single);
  if (single === 'bad') return 'single';
  const above = amount(draft.above);
  if (above === 'bad') return 'above';
  const hours = /^\d{1,4}$/.test(draft.hours.trim()) ? Number(draft.hours) : 0;
  if (above !== null && (hours < 1 || hours > HOLD_HOURS_MAX)) return 'hours';
  const contact = draft.contact.trim() === '' ? null : readContact(draft.contact);
  if (contact === null && draft.contact.trim() !== '') return 'contact';
  const delayMs = /^\d{1,2}$/.test(draft.days.trim()) ? Number(draft.days) * DAY_MS : 0;
  if (delayMs < DELAY_MS.least || delayMs > DELAY_MS.most) return 'days';
  const payees = draft.payees.split(/\s+/).filter((line) => line !== '');
  return {
    ...before,
    dailyLimit: daily,
    perTransaction: single,
    hold: above === null ? null : { above, delayMs: hours * HOUR_MS },
    payees: payees.length === 0 ? null : payees,
    contact,
    delayMs,
  };
}

const COMPLAINTS: Record<FieldName, string> = {
  daily: 'Write whole sats, or nothing for no limit.',
  single: 'Write whole sats, or nothing for no limit.',
  above: 'Write whole sats, or nothing if no payment shall wait.',
  hours: 'Write a number of hours, from 1 to a year.',
  payees: 'Write one address a line.',
  contact: 'This is neither an e-mail address nor an https address.',
  days: 'Write a number of days from 1 to 30.',
};
const NO_ADDRESS: ReadonlySet<string> = new Set(['BadAddress', 'WrongNetwork']);

function RulesForm({ rules, onDone }: { rules: Rules; onDone: (ceremony: CeremonyInfo | null) => void }) {
  const [draft, setDraft] = useState(() => draftOf(rules));
  const [bad, setBad] = useState<FieldName | null>(null);
  const set = useCall('setRules');
  const unchanged = JSON.stringify(draft) === JSON.stringify(draftOf(rules));
  const wrong = set.error !== null && NO_ADDRESS.has(set.error.code) ? 'payees' : bad;

  const submit = async (event: Event) => {
    event.preventDefault();
    if (set.busy || unchanged) return;
    const next = rulesFrom(draft, rules);
    if (typeof next === 'string') {
      setBad(next);
      document.getElementById(`rules-${next}`)?.focus();
      return;
    }
    setBad(null);
    const answer = await set.run(next);
    if (answer !== null) onDone(answer.ceremony);
  };
  const field = (name: FieldName, label: string, unit: string, hint: string, lines = 1) => {
    const shared = {
      id: `rules-${name}`,
      value: draft[name],
      autocomplete: 'off',
      spellcheck: false,
      'aria-invalid': wrong === name,
      'aria-describedby': `rules-${name}-hint`,
      onInput: (event: { currentTarget: { value: string } }) =>
        setDraft({ ...draft, [name]: event.currentTarget.value }),
    };
    return (
      <div class="field">
        <label class="field__label" for={shared.id}>
          {label} <span class="caption">{unit}</span>
        </label>
        <div class={wrong === name ? 'input input--bad' : 'input'}>
          {lines > 1 ? <textarea rows={lines} {...shared} /> : <input {...shared} />}
        </div>
        {wrong === name ? (
          <FieldError id={`rules-${name}-hint`}>{COMPLAINTS[name]}</FieldError>
        ) : (
          <p class="hint" id={`rules-${name}-hint`}>
            <span>{hint}</span>
          </p>
        )}
      </div>
    );
  };
  return (
    <form class="stack" onSubmit={(event) => void submit(event)}>
      {field('daily', 'Daily limit', 'sats in 24 hours', 'Fees count. Empty: no limit.')}
      {field('single', 'Most for one payment', 'sats', 'Empty: no limit but the daily one.')}
      {field(
        'above',
        'Payments over this wait',
        'sats',
        'And you can cancel them meanwhile. Empty: none waits.',
      )}
      {draft.above.trim() !== '' && field('hours', 'So long', 'hours', 'From the moment they are asked for.')}
      {field('payees', 'Only these may be paid', 'one address a line', 'Empty: anybody.', 3)}
      {field('contact', 'Contact', 'optional', 'Is told when one of your three alone asks for a change.')}
      {field(
        'days',
        'One alone waits',
        'days, 1 to 30',
        'To change this or the contact, two must agree, or it waits.',
      )}
      {set.error !== null && wrong !== 'payees' && <FailureNotice failure={set.error} />}
      <button type="submit" class="btn btn--primary" aria-disabled={set.busy || unchanged}>
        {set.busy ? 'Asking the cosigner…' : unchanged ? 'Nothing changed' : 'Change the rules'}
      </button>
    </form>
  );
}

/** What was looser, and so has to wait: or the words agree at once. */
function Asked({ asked }: { asked: CeremonyInfo }) {
  const ask = useCall('askWords');
  const bring = useCall('bringWords');
  const carryOut = useCall('carryOut');
  const [request, setRequest] = useState<Uint8Array | null>(null);
  const [done, setDone] = useState(false);
  const start = async () => {
    bring.reset();
    setRequest((await ask.run({ id: asked.id, says: 'approve' }))?.message ?? null);
  };
  const answer = async (message: Uint8Array) => {
    const brought = await bring.run({ message });
    if (brought?.ceremony?.phase === 'ripe' && (await carryOut.run({ id: asked.id }))) setDone(true);
  };
  if (done) {
    return (
      <section class="stack form-column">
        <Heading class="display">The new rules are in force</Heading>
        <p class="lede">This browser and your words agreed.</p>
        <a class="btn btn--primary" href="#centre">
          Back to safety
        </a>
      </section>
    );
  }
  return (
    <>
      <div class="stack stack--2">
        <Heading class="display">Asked for</Heading>
        <p class="lede">
          These rules allow more than the ones before. They wait {waitText(asked.leftMs)}, and your contact is
          told. When the wait is over, put them in force in the safety centre.
        </p>
      </div>
      {[ask.error, bring.error, carryOut.error].map(
        (failure) => failure !== null && <FailureNotice key={failure.code} failure={failure} />,
      )}
      {request === null ? (
        <div class="cluster">
          <button type="button" class="btn btn--primary" onClick={() => void start()}>
            Let my words agree now
          </button>
          <a class="btn btn--second" href="#centre">
            I can wait
          </a>
        </div>
      ) : (
        <Exchange request={request} name="hoarfrost-rules.txt" onAnswer={(message) => void answer(message)} />
      )}
    </>
  );
}

type Hold = PortMethods['holds'][1]['holds'][number];

/** Payments that wait: signed by nobody yet, and cancelled by a press. */
function Holds() {
  const read = useCall('holds');
  const cancel = useCall('cancelHold');
  const [holds, setHolds] = useState<Hold[]>([]);
  const look = () => void read.run(null).then((found) => found !== null && setHolds(found.holds));
  useEffect(look, []);
  const stop = async (ticket: string) => {
    if (cancel.busy) return;
    await cancel.run({ ticket });
    look();
  };
  return (
    <section class="stack" aria-label="Payments that wait">
      <h2 class="title">Payments that wait</h2>
      {(read.error ?? cancel.error) !== null && (
        <FailureNotice failure={(read.error ?? cancel.error)!} onRetry={look} />
      )}
      {holds.length === 0 && read.error === null && <p class="small">None waits.</p>}
      {holds.length > 0 && (
        <div class="card card--flush list">
          {holds.map(({ ticket, address, txid, loss, until }) => (
            <Row
              key={ticket}
              icon="wait"
              title={satsText(loss)}
              sub={`${address === null ? `Transaction ${txid.slice(0, 8)}…` : `To ${address.slice(0, 12)}…`}, ready ${momentText(until, Date.now())}`}
            >
              <button
                type="button"
                class="btn btn--second btn--sm"
                aria-disabled={cancel.busy}
                onClick={() => void stop(ticket)}
              >
                Cancel it
              </button>
            </Row>
          ))}
        </div>
      )}
    </section>
  );
}
