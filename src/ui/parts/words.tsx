/** The recovery words on paper's colours: shown to be written by hand, and typed. No clipboard in either direction. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { waitText } from '../times.ts';
import { Icon } from './icon.tsx';

/** Words on screen hide again after this. */
const SHOWN_MS = 120_000;

/** What the screens need to know of the list of words; `prefix`: no word yet, but the beginning of one. */
export interface WordTools {
  readonly wordlist: readonly string[];
  checkWord(word: string): 'ok' | 'prefix' | 'unknown';
}

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

export function ShownWords({ words }: { words: readonly string[] }) {
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
    <div class="card card--paper card--roomy no-copy no-print">
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

/** `wanted`: the word that was shown, or null where nobody knows it. */
export function wordProblem(
  typed: string,
  wanted: string | null,
  check: WordTools['checkWord'],
): WordProblem {
  if (typed === '' || typed === wanted) return 'none';
  if (check(typed) !== 'ok') return 'unknown';
  return wanted === null ? 'none' : 'different';
}

/** A field a word. `onWords` hears all of them, completed, whenever all are right; null as long as they are not. */
export function TypedWords({
  count,
  wanted,
  tools,
  onWords,
}: {
  count: number;
  /** What was shown and is typed back; null where the words come from the paper alone. */
  wanted: readonly string[] | null;
  tools: WordTools;
  onWords: (words: string[] | null) => void;
}) {
  const [typed, setTyped] = useState<string[]>(() => new Array<string>(count).fill(''));
  const [left, setLeft] = useState<ReadonlySet<number>>(new Set());
  const list = useRef<HTMLOListElement>(null);
  const watched = useWatched(() => undefined);

  const { wordlist, checkWord } = tools;
  const whole = typed.map((word) => completed(word, wordlist));
  const isRight = (word: string, i: number) =>
    wanted === null ? checkWord(word) === 'ok' : word === wanted[i];
  const right = whole.filter(isRight).length;
  const ready = right === count;
  const said = useRef(onWords);
  said.current = onWords;
  const text = whole.join(' ');
  useEffect(() => said.current(ready ? text.split(' ') : null), [ready, text]);

  const change = (i: number, word: string) => setTyped((all) => all.map((old, k) => (k === i ? word : old)));
  const leave = (i: number) => {
    setTyped((all) => all.map((word, k) => (k === i ? completed(word, wordlist) : word)));
    setLeft((before) => new Set(before).add(i));
  };
  const key = (event: KeyboardEvent, i: number) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    const next = list.current?.querySelectorAll('input')[i + 1];
    if (next !== undefined) next.focus();
    else (event.currentTarget as HTMLElement).blur();
  };
  const problems = whole.map((word, i) =>
    left.has(i) ? wordProblem(word, wanted?.[i] ?? null, checkWord) : 'none',
  );
  const firstBad = problems.findIndex((problem) => problem !== 'none');
  return (
    <>
      <div class="card card--paper card--roomy no-print">
        <ol
          class={watched ? 'words' : 'words words--unwatched'}
          aria-label={`Type all ${count === 12 ? 'twelve' : 'twenty-four'} words`}
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
      <p
        class={firstBad === -1 ? 'hint hint--start no-print' : 'hint hint--bad no-print'}
        id="typed-hint"
        role="status"
      >
        <Icon name={firstBad === -1 ? 'check' : 'alert'} />
        <span>
          {firstBad === -1
            ? `${right} of ${count} are ${wanted === null ? 'words of the list' : 'right'}. Tab moves on; four letters of a word are enough.`
            : problems[firstBad] === 'unknown'
              ? `Word ${firstBad + 1} is not on the list of recovery words. Look at it again.`
              : `Word ${firstBad + 1} is not the one that was shown. Compare it with your paper.`}
        </span>
      </p>
    </>
  );
}
