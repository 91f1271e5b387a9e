/** Amounts, addresses and fingerprints as they are written everywhere. */
import { addressGroups, fingerprintPairs, shortGroups } from '../addressText.ts';
import { amountGroups, type Unit } from '../amounts.ts';

export type Sign = '+' | '−' | '';

/** Groups are set apart by margins, so that a copied amount is bare digits and a screen reader reads one number. */
export function Amount({ sats, unit = 'sats', sign = '' }: { sats: bigint; unit?: Unit; sign?: Sign }) {
  const value = sign === '−' ? -sats : sats;
  return (
    <data class="amount" value={value.toString()}>
      {sign !== '' && <span class="amount__sign">{sign}</span>}
      {amountGroups(sats, unit).map(({ dim, bright }, i) => (
        <span class="g" key={i}>
          {dim !== '' && <span class="amount__dim">{dim}</span>}
          {bright}
        </span>
      ))}{' '}
      <span class="amount__unit">{unit}</span>
    </data>
  );
}

/** Whole: wherever money moves or is awaited. */
export function Address({ address, grid = false }: { address: string; grid?: boolean }) {
  return (
    <span class={grid ? 'address address--grid' : 'address'}>
      {addressGroups(address).map(({ text, key }, i) => (
        <>
          <span class={key ? 'g g--key' : 'g'} key={i}>
            {text}
          </span>
          <wbr />
        </>
      ))}
    </span>
  );
}

/** Shortened: in lists only. */
export function ShortAddress({ address }: { address: string }) {
  const short = shortGroups(address);
  if (short === null) return <Address address={address} />;
  return (
    <span class="address address--short">
      {short.head.map((text) => (
        <span class="g g--key" key={`head ${text}`}>
          {text}
        </span>
      ))}
      <span class="g g--gap">…</span>
      {short.tail.map((text) => (
        <span class="g g--key" key={`tail ${text}`}>
          {text}
        </span>
      ))}
    </span>
  );
}

/** Whole, in the same groups on both screens that are to be compared. */
export function Fingerprint({ hex }: { hex: string }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls
    <p class="fingerprint code" role="group" aria-label="Fingerprint">
      {fingerprintPairs(hex).map((pair, i) => (
        <span class="nowrap" key={i}>
          {pair}
        </span>
      ))}
    </p>
  );
}
