/**
 * The recovery page: one message opens a sitting, which shows what is asked, takes the words once, shows its answer, and
 * forgets. Everything is in this page's memory; a reload begins anew.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { OfflineMessage } from '../../protocol/offline.ts';
import { type Failure, failureOf } from '../device.tsx';
import { ReadMessage } from '../offline/read.tsx';
import { ShowMessage } from '../offline/show.tsx';
import { Segmented } from '../parts/controls.tsx';
import { Heading } from '../parts/frame.tsx';
import { Icon } from '../parts/icon.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { ShownWords, TypedWords } from '../parts/words.tsx';
import { ACTIONS, AskedCard, TITLES } from './asked.tsx';
import { Frame } from './frame.tsx';
import { KitSheet } from './kit.tsx';
import type { Asked, RecoveryTools, Sitting } from './tools.ts';
import { wordsHere } from './words.ts';

type Stage =
  | { at: 'home' }
  | { at: 'asked'; sitting: Sitting }
  /** New words, to be written down. */
  | { at: 'write'; sitting: Sitting; words: string[] }
  /** Typed from the paper, or back: then `wanted` is what was shown. */
  | { at: 'words'; sitting: Sitting; wanted: string[] | null }
  | { at: 'answer'; sitting: Sitting; answer: OfflineMessage; round: number }
  | { at: 'done'; asked: Asked };

const makesWords = (asked: Asked) => asked.kind === 'birth' || (asked.kind === 'kit' && !asked.made);

export function RecoveryPage({ tools }: { tools: RecoveryTools }) {
  const [stage, go] = useState<Stage>({ at: 'home' });
  const [failure, setFailure] = useState<Failure | null>(null);
  const [busy, setBusy] = useState(false);
  const open = useRef<Sitting | null>(null);

  const to = (next: Stage) => {
    setFailure(null);
    go(next);
  };
  const forget = () => {
    open.current?.wipe();
    open.current = null;
  };
  const home = () => {
    forget();
    to({ at: 'home' });
  };
  useEffect(() => {
    addEventListener('pagehide', forget);
    return () => removeEventListener('pagehide', forget);
  }, []);

  const read = (message: OfflineMessage) => {
    try {
      forget();
      const sitting = tools.open(message);
      open.current = sitting;
      to({ at: 'asked', sitting });
    } catch (e) {
      setFailure(failureOf(e));
    }
  };
  const work = async (step: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setFailure(null);
    try {
      await step();
    } catch (e) {
      setFailure(failureOf(e));
    } finally {
      setBusy(false);
    }
  };
  const begin = (sitting: Sitting, words: readonly string[]) =>
    work(async () => {
      const answer = await sitting.begin(words);
      if (open.current === sitting) to({ at: 'answer', sitting, answer, round: 1 });
    });
  const next = (sitting: Sitting, message: OfflineMessage, round: number) =>
    work(async () => {
      const answer = await sitting.next(message);
      if (open.current !== sitting) return;
      if (answer !== null) return to({ at: 'answer', sitting, answer, round: round + 1 });
      forget();
      to({ at: 'done', asked: sitting.asked });
    });

  const problem =
    failure === null ? null : <FailureNotice failure={failure} words={wordsHere(failure.code)} />;
  switch (stage.at) {
    case 'home':
      return (
        <Frame key="home" version={tools.version} lede="Your words are typed here and on no other page.">
          <Heading class="display">Recovery page</Heading>
          <p class="lede">
            It signs with your device when the cosigner is gone, tests your paper, and helps to make a lost
            share anew. Begin in the wallet: it shows a message for this page.
          </p>
          {problem}
          <ReadMessage label="The message from your wallet" onMessage={read} />
        </Frame>
      );
    case 'asked': {
      const { sitting } = stage;
      const { asked } = sitting;
      return (
        <Frame
          key="asked"
          version={tools.version}
          onBack={home}
          action={
            <button
              type="button"
              class="btn btn--primary"
              onClick={() =>
                makesWords(asked)
                  ? to({ at: 'write', sitting, words: tools.newWords() })
                  : to({ at: 'words', sitting, wanted: null })
              }
            >
              {makesWords(asked) ? 'Make the words' : 'Type the words'}
            </button>
          }
        >
          <Heading class="display">{TITLES[asked.kind]}</Heading>
          <AskedCard asked={asked} />
          {asked.kind === 'birth' && (
            <button type="button" class="link" onClick={() => to({ at: 'words', sitting, wanted: null })}>
              I have words already, from a try that was stopped
            </button>
          )}
        </Frame>
      );
    }
    case 'write': {
      const { sitting, words } = stage;
      return (
        <Frame
          key="write"
          version={tools.version}
          onBack={home}
          sheet={
            sitting.asked.kind === 'birth' ? (
              <KitSheet asked={sitting.asked} version={tools.version} />
            ) : undefined
          }
          action={
            <button
              type="button"
              class="btn btn--primary"
              onClick={() => to({ at: 'words', sitting, wanted: words })}
            >
              I have written them down
            </button>
          }
        >
          <Heading class="display">Write down your recovery words</Heading>
          <p class="lede">They open the third share. Alone they cannot spend.</p>
          <ShownWords words={words} />
          {sitting.asked.kind === 'birth' && (
            <div class="cluster">
              <button type="button" class="btn btn--second" onClick={() => print()}>
                <Icon name="paper" /> Print the kit
              </button>
              <span class="caption">The words are not printed. You write them in by hand.</span>
            </div>
          )}
        </Frame>
      );
    }
    case 'words':
      return (
        <WordsScreen
          key="words"
          tools={tools}
          sitting={stage.sitting}
          wanted={stage.wanted}
          busy={busy}
          problem={problem}
          onBack={home}
          onShowAgain={
            stage.wanted === null
              ? null
              : () => to({ at: 'write', sitting: stage.sitting, words: stage.wanted ?? [] })
          }
          onWords={(words) => void begin(stage.sitting, words)}
        />
      );
    case 'answer': {
      const { sitting, answer, round } = stage;
      const { asked, rounds } = sitting;
      const last = round === rounds && asked.kind !== 'birth';
      return (
        <Frame
          key={`answer ${round}`}
          version={tools.version}
          {...(last ? {} : { onBack: home })}
          action={
            last ? (
              <button type="button" class="btn btn--primary" onClick={home}>
                Done, forget everything
              </button>
            ) : undefined
          }
        >
          <Heading class="display">{rounds === 1 ? 'The answer' : `Answer ${round} of ${rounds}`}</Heading>
          <p class="lede">
            {last
              ? 'Take it to your device, which finishes and checks. The words are wiped here.'
              : 'Take it to the wallet. It answers with the next message for this page.'}
          </p>
          {problem}
          <ShowMessage message={answer} name="hoarfrost-answer.txt" />
          {!last && (
            <ReadMessage
              key={round}
              label="The next message from the wallet"
              onMessage={(message) => void next(sitting, message, round)}
            />
          )}
        </Frame>
      );
    }
    case 'done':
      return (
        <Frame
          key="done"
          version={tools.version}
          action={
            <button type="button" class="btn btn--primary" onClick={home}>
              Done
            </button>
          }
        >
          <Heading class="display">The three shares are made</Heading>
          <Notice tone="ok" icon="check">
            <b>The record is whole, and your words open the third share.</b> They are wiped here. Keep the
            paper where you would keep a passport.
          </Notice>
        </Frame>
      );
  }
}

function WordsScreen({
  tools,
  sitting,
  wanted,
  busy,
  problem,
  onBack,
  onShowAgain,
  onWords,
}: {
  tools: RecoveryTools;
  sitting: Sitting;
  wanted: string[] | null;
  busy: boolean;
  problem: preact.JSX.Element | null;
  onBack: () => void;
  onShowAgain: (() => void) | null;
  onWords: (words: string[]) => void;
}) {
  const [words, setWords] = useState<string[] | null>(null);
  const [count, setCount] = useState<'12' | '24'>('12');
  const { kind } = sitting.asked;
  return (
    <Frame
      version={tools.version}
      onBack={onBack}
      action={
        <button
          type="button"
          class="btn btn--primary"
          aria-disabled={words === null || busy}
          onClick={() => words !== null && onWords(words)}
        >
          {busy ? 'Working…' : ACTIONS[kind]}
        </button>
      }
    >
      <Heading class="display">{wanted === null ? 'Type the words' : 'Type the twelve back'}</Heading>
      {wanted === null ? (
        <div class="between">
          <p class="text">From the paper. They leave this page in no form.</p>
          <Segmented
            label="How many words"
            value={count}
            options={[
              ['12', '12 words'],
              ['24', '24 words'],
            ]}
            onChange={setCount}
          />
        </div>
      ) : (
        <p class="text">From the paper. The third share is made from what you type.</p>
      )}
      {kind === 'payment' && <AskedCard asked={sitting.asked} />}
      {problem}
      <TypedWords
        key={count}
        count={wanted?.length ?? Number(count)}
        wanted={wanted}
        tools={tools}
        onWords={setWords}
      />
      {onShowAgain !== null && (
        <button type="button" class="link" onClick={onShowAgain}>
          Show the words again
        </button>
      )}
    </Frame>
  );
}
