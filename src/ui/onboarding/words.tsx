/** The recovery words: shown on paper colours, written by hand, typed back. No clipboard in either direction. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../parts/icon.tsx';
import { NO_SHARES } from '../parts/mark.tsx';
import { waitText } from '../times.ts';
import { Page } from './page.tsx';
import type { RecoveryActor } from './recoveryPort.ts';

/** Words on screen hide again after this. */
const SHOWN_MS = 120_000;

const refuse = (event: Event) => event.preventDefault();

/** Whether somebody is looking at this tab. */
function useWatched(onGone: () => void): boolean {
  const [watched, setWatched] = useState(true);
  const gone = useRef(onGone);
  gone.current = onGone;
  useEffect(() => {
    const leave = () => {
      setWatched(false);
      gone.current();
    };
    const visible = () => (document.visibilityState === 'hidden' ? leave() : setWatched(true));
    const back = () => setWatched(true);
    addEventListener('blur', leave);
    addEventListener('focus', back);
    document.addEventListener('visibilitychange', visible);
    return () => {
      removeEventListener('blur', leave);
      removeEventListener('focus', back);
      document.removeEventListener('visibilitychange', visible);
    };
  }, []);
  return watched;
}

export function WordsStep({
  words,
  onBack,
  onDone,
}: {
  words: string[];
  onBack: () => void;
  onDone: () => void;
}) {
  const [shownUntil, setShownUntil] = useState(() => Date.now() + SHOWN_MS);
  const [now, setNow] = useState(Date.now);
  useWatched(() => setShownUntil(0));
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(tick);
  }, []);
  const shown = shownUntil > now;
  const toggle = () => {
    setNow(Date.now());
    setShownUntil(shown ? 0 : Date.now() + SHOWN_MS);
  };
  return (
    <Page
      step={2}
      shares={NO_SHARES}
      title="Write down your recovery words"
      lede="They open the third share. Alone they cannot spend."
      note="These words are typed in two places only: here, and on the recovery page. The extension never asks for them again. Anything else that asks is a thief."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Back
          </button>
          <span class="spacer" />
          <button type="button" class="btn btn--primary" onClick={onDone}>
            I have written them down
          </button>
        </>
      }
    >
      <div class="card card--paper card--roomy no-copy">
        <ol class="words" aria-label="Recovery words" onCopy={refuse} onCut={refuse} onDragStart={refuse}>
          {words.map((word, i) => (
            <li key={i} class={shown ? '' : 'is-hidden'}>
              {shown ? word : <span class="visually-hidden">hidden</span>}
            </li>
          ))}
        </ol>
        <div class="between words__foot">
          <span class="caption">
            {shown
              ? `Hides again in ${waitText(shownUntil - now)}, or when you leave this tab`
              : 'Hidden. Nobody looks over your shoulder?'}
          </span>
          <button type="button" class="link link--ink" onClick={toggle}>
            <Icon name={shown ? 'hide' : 'eye'} small /> {shown ? 'Hide' : 'Show the words'}
          </button>
        </div>
      </div>
      <ul class="bullets">
        <li>
          <Icon name="pen" />
          <span>
            <b>Pen on paper.</b> No photo, no cloud note, no clipboard: there is no copy button on purpose.
          </span>
        </li>
        <li>
          <Icon name="browser" />
          <span>
            <b>This page plays the paper.</b> It holds the words until the three shares have formed, then
            wipes them.
          </span>
        </li>
      </ul>
    </Page>
  );
}

/** What is wrong with a field that was left: nothing, no word at all, or not the word that was shown there. */
export type WordProblem = 'none' | 'unknown' | 'different';

/** The one word that these letters begin, from four letters on, else the letters themselves. */
export function completed(typed: string, wordlist: readonly string[]): string {
  const bare = typed.trim().toLowerCase();
  if (bare.length < 4 || wordlist.includes(bare)) return bare;
  const matches = wordlist.filter((word) => word.startsWith(bare));
  return matches.length === 1 ? (matches[0] ?? bare) : bare;
}

export function wordProblem(typed: string, wanted: string, check: RecoveryActor['checkWord']): WordProblem {
  if (typed === '' || typed === wanted) return 'none';
  return check(typed) === 'ok' ? 'different' : 'unknown';
}

export function TypeBackStep({
  words,
  recovery,
  onBack,
  onDone,
}: {
  words: string[];
  recovery: RecoveryActor;
  onBack: () => void;
  onDone: (typed: string[]) => void;
}) {
  const [typed, setTyped] = useState<string[]>(() => words.map(() => ''));
  const [left, setLeft] = useState<ReadonlySet<number>>(new Set());
  const list = useRef<HTMLOListElement>(null);
  const watched = useWatched(() => undefined);

  const change = (i: number, text: string) =>
    setTyped((all) => all.map((word, k) => (k === i ? text : word)));
  const leave = (i: number) => {
    setTyped((all) => all.map((word, k) => (k === i ? completed(word, recovery.wordlist) : word)));
    setLeft((before) => new Set(before).add(i));
  };
  const key = (event: KeyboardEvent, i: number) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    const next = list.current?.querySelectorAll('input')[i + 1];
    if (next !== undefined) next.focus();
    else (event.currentTarget as HTMLElement).blur();
  };

  const whole = typed.map((word) => completed(word, recovery.wordlist));
  const right = whole.filter((word, i) => word === words[i]).length;
  const problems = whole.map((word, i) =>
    left.has(i) ? wordProblem(word, words[i] ?? '', recovery.checkWord) : 'none',
  );
  const firstBad = problems.findIndex((problem) => problem !== 'none');
  const ready = right === words.length;
  return (
    <Page
      step={3}
      shares={NO_SHARES}
      title="Type the twelve back"
      lede="From the paper. The third share is made from what you type."
      note="A paper nobody has read is a hope, not a backup."
      foot={
        <>
          <button type="button" class="btn btn--quiet" onClick={onBack}>
            Show the words again
          </button>
          <span class="spacer" />
          <button
            type="button"
            class="btn btn--primary"
            aria-disabled={!ready}
            onClick={() => ready && onDone(whole)}
          >
            Form the three shares
          </button>
        </>
      }
    >
      <div class="card card--paper card--roomy">
        <ol
          class={watched ? 'words' : 'words words--unwatched'}
          aria-label="Type all twelve words"
          ref={list}
        >
          {typed.map((word, i) => (
            <li class={problems[i] === 'none' ? 'is-asked' : 'is-asked is-bad'} key={i}>
              <input
                aria-label={`Word ${i + 1}`}
                value={word}
                autocomplete="off"
                autocapitalize="off"
                spellcheck={false}
                aria-invalid={problems[i] !== 'none'}
                aria-describedby="typed-hint"
                onInput={(event) => change(i, event.currentTarget.value)}
                onBlur={() => leave(i)}
                onKeyDown={(event) => key(event, i)}
                onPaste={refuse}
                onDrop={refuse}
                onCopy={refuse}
                onCut={refuse}
              />
            </li>
          ))}
        </ol>
      </div>
      <p class={firstBad === -1 ? 'hint hint--start' : 'hint hint--bad'} id="typed-hint" role="status">
        <Icon name={firstBad === -1 ? 'check' : 'alert'} />
        <span>
          {firstBad === -1
            ? `${right} of ${words.length} are right. Tab moves on; four letters of a word are enough.`
            : problems[firstBad] === 'unknown'
              ? `Word ${firstBad + 1} is not on the list of recovery words. Look at it again.`
              : `Word ${firstBad + 1} is not the one that was shown. Compare it with your paper.`}
        </span>
      </p>
    </Page>
  );
}
