/** Freezing is instant and this browser's alone; lifting it takes two of the three, or time. Whom the cosigner warns. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { PortMethods } from '../../device/port.ts';
import { useCall } from '../device.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { waitText } from '../times.ts';
import type { Heard } from './ceremonies.tsx';
import { Row } from './row.tsx';

export function FreezeRow({ heard, away }: { heard: Heard; away: boolean }) {
  const [sure, setSure] = useState(false);
  const question = useRef<HTMLDivElement>(null);
  // The button that was pressed is gone: the focus goes where its question is, and to no button.
  useLayoutEffect(() => question.current?.focus(), [sure]);
  const read = useCall('rules');
  const set = useCall('setRules');
  const { answer } = heard;
  const frozen = answer?.frozen === true;
  const busy = read.busy || set.busy;
  const lifting =
    frozen &&
    answer.ceremonies.some(
      ({ purpose, phase }) => purpose === 'loosenPolicy' && phase !== 'done' && phase !== 'void',
    );
  const change = async () => {
    if (busy || away) return;
    const rules = await read.run(null);
    if (rules === null) return;
    await set.run({ ...rules, frozen: !frozen });
    setSure(false);
    heard.ask();
  };
  const failure = read.error ?? set.error;
  return (
    <>
      <Row
        icon="stop"
        tone="danger"
        title={frozen ? 'Payments are frozen' : 'Freeze all payments'}
        sub={
          frozen
            ? `Your cosigner signs nothing. Lifting it takes two of the three, or this browser and ${waitOf(answer)}.`
            : 'At once. Lifting it takes two of the three, or time.'
        }
      >
        {!sure && !lifting && (
          <button
            type="button"
            class={frozen ? 'btn btn--second btn--sm' : 'btn btn--second btn--sm tone-danger'}
            aria-disabled={away || answer === null}
            onClick={() => away || answer === null || setSure(true)}
          >
            {frozen ? 'Lift it…' : 'Freeze…'}
          </button>
        )}
        {lifting && <span class="badge badge--caution">Lifting is asked for</span>}
      </Row>
      {sure && (
        <div class="row-notice stack stack--2" tabIndex={-1} ref={question}>
          <p class="small">
            {frozen
              ? `This asks your cosigner to sign again. With this browser alone it waits ${waitOf(answer)}, and the others are told.`
              : `Nothing is paid until it is lifted, which with this browser alone takes ${waitOf(answer)}. Receiving goes on.`}
          </p>
          <div class="cluster">
            <button
              type="button"
              class={frozen ? 'btn btn--second btn--sm' : 'btn btn--danger btn--sm'}
              aria-disabled={busy}
              onClick={() => void change()}
            >
              {frozen ? 'Ask to lift it' : 'Freeze now'}
            </button>
            <button type="button" class="btn btn--quiet btn--sm" onClick={() => setSure(false)}>
              Not now
            </button>
          </div>
        </div>
      )}
      {failure !== null && (
        <div class="row-notice">
          <FailureNotice failure={failure} />
        </div>
      )}
    </>
  );
}

export function ContactRow({ heard }: { heard: Heard }) {
  const { answer } = heard;
  if (answer === null) return null;
  return (
    <Row
      icon="bell"
      title={
        answer.contact === null ? 'Nobody else is warned' : `Warnings go to ${contactText(answer.contact)}`
      }
      sub={
        answer.contact === null
          ? `This browser alone hears when somebody replaces a share. One of the three alone waits ${waitOf(answer)}.`
          : `Counts as one of the three. One alone waits ${waitOf(answer)}.`
      }
    />
  );
}

type Answer = PortMethods['ceremonies'][1];

function waitOf(answer: Answer | null): string {
  return answer === null ? 'some days' : waitText(answer.delayMs);
}

/** A mail address without its scheme and most of its name; of a webhook the host. */
export function contactText(contact: string): string {
  const mail = /^mailto:([^@]+)@(.+)$/.exec(contact);
  if (mail !== null) return `${mail[1]!.slice(0, 1)}•••@${mail[2]}`;
  try {
    return new URL(contact).host;
  } catch {
    return 'your contact';
  }
}
