/** The cosigner's verdict: it stands on Review before the button, so that a refusal is never a surprise. */
import type { ReviewView } from '../../device/port.ts';
import { rateText, satsText } from '../amounts.ts';
import type { Failure } from '../device.tsx';
import { Icon, type IconName } from '../parts/icon.tsx';
import { Shardlet } from '../parts/mark.tsx';
import { momentText, waitText } from '../times.ts';
import { ruleWords, wordsFor } from '../words.ts';

export type VerdictKind = 'signs' | 'waits' | 'refuses' | 'asking' | 'silent';

/** What is known of the cosigner's answer. A failure of the asking is silence, not a refusal. */
export function verdictKind(review: ReviewView, failure: Failure | null): VerdictKind {
  if (failure !== null || review.verdictError !== null) return 'silent';
  return review.verdict?.kind ?? 'asking';
}

/** By how much a rule is passed: a rate in thousandths of a sat per vbyte, all else in sats. */
function overText({ rule, over }: { rule: string; over: bigint }): string {
  return rule === 'feeRate' ? rateText(Number(over)) : satsText(over);
}

interface Said {
  say: string;
  why: string;
  icon: IconName | null;
  tone: 'ok' | 'caution' | 'danger' | null;
}

function said(review: ReviewView, failure: Failure | null, now: number): Said {
  const silence = failure?.code ?? review.verdictError;
  if (silence !== null) {
    const words = wordsFor(silence);
    if (silence === 'CosignerUnreachable' || silence === 'DeadlineExceeded' || silence === 'ChannelClosed') {
      return {
        say: 'Cosigner does not answer',
        why: 'Nothing was signed. Your payment is kept; ask again.',
        icon: 'offline',
        tone: 'caution',
      };
    }
    if (silence === 'EpochStale') {
      return {
        say: 'This share signs no more',
        why: 'This browser was set back. Nothing was signed.',
        icon: 'alert',
        tone: 'danger',
      };
    }
    return { say: words.happened, why: `${words.safe} ${words.next}`, icon: 'alert', tone: 'caution' };
  }
  const { verdict } = review;
  if (verdict === null) {
    return {
      say: 'Asking your cosigner…',
      why: 'You can read on meanwhile. Gives up after 12 s.',
      icon: null,
      tone: null,
    };
  }
  switch (verdict.kind) {
    case 'signs':
      return {
        say: 'Cosigner will sign now',
        why:
          verdict.leftInWindow === null
            ? 'Within your rules'
            : `Within today’s limit, ${satsText(verdict.leftInWindow)} left`,
        icon: 'check',
        tone: 'ok',
      };
    case 'waits':
      return {
        say: `Cosigner waits ${waitText(Math.max(0, verdict.until - now))}, then signs`,
        why: `Your rule: ${ruleWords(verdict.rule)}. Ready ${momentText(verdict.until, now)}.`,
        icon: 'wait',
        tone: 'caution',
      };
    case 'refuses':
      return {
        say: `Cosigner refuses: ${ruleWords(verdict.rule)}`,
        why: `${overText(verdict)} too much. Nothing was signed.`,
        icon: 'stop',
        tone: 'danger',
      };
  }
}

export function Verdict({
  review,
  failure,
  onAskAgain,
  onOffline,
}: {
  review: ReviewView;
  failure: Failure | null;
  onAskAgain: () => void;
  /** To where the payment can be made without the cosigner. */
  onOffline: () => void;
}) {
  const kind = verdictKind(review, failure);
  const { say, why, icon, tone } = said(review, failure, Date.now());
  const agreed = kind === 'signs' || kind === 'waits' || kind === 'refuses';
  return (
    <section
      class="verdict push"
      data-verdict={kind}
      data-code={failure?.code ?? review.verdictError ?? undefined}
      aria-label="Cosigner’s verdict"
      aria-live={kind === 'refuses' ? undefined : 'polite'}
      role={kind === 'refuses' ? 'alert' : undefined}
      aria-busy={kind === 'asking'}
    >
      <div class="verdict__head">
        <Shardlet state={kind === 'asking' ? 'growing' : kind === 'silent' ? 'away' : 'lit'} />
        <div class="grow">
          <p class="verdict__say">{say}</p>
          <p class="verdict__why">{why}</p>
        </div>
        {icon !== null && (
          <span class={`glyph tone-${tone}`}>
            <Icon name={icon} />
          </span>
        )}
      </div>
      {agreed && (
        <div class="match">
          <Icon name="equal" />
          <span>Both read the same payment</span>
        </div>
      )}
      {kind === 'silent' && (
        <div class="verdict__body">
          <button type="button" class="link" onClick={onAskAgain}>
            <Icon name="refresh" small />
            Ask again
          </button>
          <button type="button" class="link" onClick={onOffline}>
            <Icon name="out" small />
            Spend without it
          </button>
        </div>
      )}
    </section>
  );
}
