/** The security key as a screen meets it: the asking, and what to do when no answer came. */
import { useState } from 'preact/hooks';
import type { SecurityKeyView } from '../../device/port.ts';
import { factorOf, KeyError, type KeyProblem } from '../securityKey.ts';
import { Notice } from './notice.tsx';

export interface KeyPrompt {
  asking: boolean;
  problem: KeyProblem | null;
  /** Runs `ask`; what the key gave, or undefined if it gave nothing, and then `problem` says why. */
  run<T>(ask: () => Promise<T>): Promise<T | undefined>;
  /** What unlocks together with the password: null without a key, undefined if it gave nothing. */
  factor(key: SecurityKeyView | null): Promise<Uint8Array | null | undefined>;
}

export function useKeyPrompt(): KeyPrompt {
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<KeyProblem | null>(null);
  const run = async <T,>(ask: () => Promise<T>): Promise<T | undefined> => {
    setAsking(true);
    setProblem(null);
    try {
      return await ask();
    } catch (e) {
      setProblem(e instanceof KeyError ? e.problem : 'unable');
      return undefined;
    } finally {
      setAsking(false);
    }
  };
  return {
    asking,
    problem,
    run,
    factor: async (key) => (key === null ? null : run(() => factorOf(key))),
  };
}

export function KeyNotice({ problem }: { problem: KeyProblem }) {
  return (
    <Notice tone="caution" icon="alert">
      {problem === 'cancelled' ? (
        <>
          <b>The security key gave no answer.</b> Nothing has changed. Have it at hand and press again.
        </>
      ) : (
        <>
          <b>This key or browser cannot do it.</b> Nothing has changed. It takes a key with the PRF extension,
          in this browser.
        </>
      )}
    </Notice>
  );
}
