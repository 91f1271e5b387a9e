/**
 * What is asked of a ceremony, and by whom: the words, whose signed act anybody may bring, the device, on its own connection, or the
 * contact, with the code that was sent to it. A proof is checked before anything is looked up, so that nobody learns from an answer
 * what is here.
 */
import { timingSafeEqual } from 'node:crypto';
import { deviceActHash, wordsActHash } from '../policy/ceremony.ts';
import { equalVar } from '../protocol/bytes.ts';
import { type CeremonyView, ceremonyAct, wordsAct } from '../protocol/ceremony.ts';
import { decode } from '../protocol/codec.ts';
import { ensure, HoarfrostError } from '../protocol/errors.ts';
import type { Answer } from '../protocol/messages.ts';
import { beginCeremony, type Inside, inside, sayOf, walletOfCeremony } from './ceremonies.ts';
import { storedCeremony, viewOf } from './ceremonyRecords.ts';
import type { Cosigner } from './cosigner.ts';
import { contactCode } from './notices.ts';
import { freezeByWords } from './policies.ts';
import type { Bytes, WalletView } from './store.ts';
import { deviceShareKey } from './wallet.ts';

/** `Unauthorised` for a bad signature; `SessionUnknown` if these words have no wallet here, or no such ceremony. */
export async function actByWords(cosigner: Cosigner, message: Bytes): Promise<Answer> {
  const { signer, store, network } = cosigner;
  const { hostKey, act: body, signature } = decode(wordsAct, message);
  ensure(signer.schnorrVerify(hostKey, wordsActHash(body), signature), 'Unauthorised', { detail: 'words' });
  const act = decode(ceremonyAct, body);
  const wallets = await store.walletsOfRecord('recovery', hostKey);
  switch (act.kind) {
    case 'freeze': {
      ensure(act.network === network, 'WrongNetwork');
      ensure(wallets.length > 0, 'SessionUnknown');
      for (const wallet of wallets) {
        await change(cosigner, wallet, (in_) =>
          freezeByWords(cosigner, ofWords(in_, hostKey), { body, signature }),
        );
      }
      return { kind: 'frozen' };
    }
    case 'open': {
      const wanted = act.wallet;
      const wallet = wanted === null ? wallets[0] : wallets.find((id) => equalVar(id, wanted));
      ensure(wallet !== undefined, 'SessionUnknown');
      return ceremonyOf(
        await change(cosigner, wallet, (in_) =>
          beginCeremony(cosigner, ofWords(in_, hostKey), 'words', { body, act }),
        ),
      );
    }
    case 'say': {
      const wallet = await walletOfCeremony(cosigner, act.ceremony);
      // First without the lock: a refusal that waited for its turn to write would tell that there is something here.
      const now = await store.viewWallet(wallet, (view) => cosigner.wallets.read(cosigner, view));
      ofWords({ wallet: now }, hostKey);
      return ceremonyOf(
        await change(cosigner, wallet, (in_) => sayOf(cosigner, ofWords(in_, hostKey), 'words', act)),
      );
    }
  }
}

/** `Unauthorised` without a proof by share 1 on this very connection. */
export async function actByDevice(
  cosigner: Cosigner,
  wallet: Bytes,
  handshakeHash: Bytes,
  { act: body, proof }: { act: Bytes; proof: Bytes },
): Promise<Answer> {
  const act = decode(ceremonyAct, body);
  const view = await change(cosigner, wallet, async (in_) => {
    const { epoch } = in_.wallet;
    const hash = deviceActHash(handshakeHash, body);
    ensure(cosigner.signer.schnorrVerify(deviceShareKey(epoch), hash, proof), 'Unauthorised', {
      detail: 'proof',
    });
    switch (act.kind) {
      case 'open':
        ensure(act.wallet === null || equalVar(act.wallet, epoch.wallet), 'SessionUnknown');
        return beginCeremony(cosigner, in_, 'device', { body, act });
      case 'say':
        return sayOf(cosigner, in_, 'device', act);
      case 'freeze':
        // The device freezes by the next version of the policy.
        throw new HoarfrostError('Unauthorised', { detail: 'words' });
    }
  });
  return ceremonyOf(view);
}

/** `SessionUnknown` for a wrong code as for a ceremony that never was. */
export async function actByContact(
  cosigner: Cosigner,
  { ceremony, code, says }: { ceremony: Bytes; code: Bytes; says: 'approve' | 'contest' },
): Promise<CeremonyView> {
  // First without the lock, as above.
  await shownToContact(cosigner, ceremony, code);
  const wallet = await walletOfCeremony(cosigner, ceremony);
  const { clock } = cosigner;
  return change(cosigner, wallet, async (in_) => {
    checkCode(cosigner, in_, ceremony, code);
    return sayOf(cosigner, in_, 'contact', { ceremony, says, at: clock.now() });
  });
}

/** How it stands, for the contact who was told of it. */
export async function shownToContact(
  cosigner: Cosigner,
  ceremony: Bytes,
  code: Bytes,
): Promise<CeremonyView> {
  const { store, wallets, policies } = cosigner;
  return store.viewWallet(await walletOfCeremony(cosigner, ceremony), async (view: WalletView) => {
    const policy = await policies.inForce(cosigner, view, await wallets.read(cosigner, view));
    checkCode(cosigner, { tx: view, policy }, ceremony, code);
    const stored = await storedCeremony(cosigner, view, ceremony);
    ensure(stored !== null, 'SessionUnknown');
    return viewOf(cosigner, stored);
  });
}

function checkCode(
  cosigner: Cosigner,
  { tx, policy }: Pick<Inside, 'policy'> & { tx: WalletView },
  ceremony: Bytes,
  code: Bytes,
): void {
  ensure(policy.contact !== null, 'SessionUnknown');
  const own = contactCode(cosigner, tx.wallet.id, ceremony, policy.contact);
  ensure(own.length === code.length && timingSafeEqual(own, code), 'SessionUnknown');
}

/** The record that led here is an index and no more: whose words they are, the certified keys say. */
function ofWords<T extends Pick<Inside, 'wallet'>>(in_: T, hostKey: Bytes): T {
  ensure(equalVar(in_.wallet.epoch.hostKeys[2], hostKey), 'SessionUnknown');
  return in_;
}

async function change<T>(cosigner: Cosigner, wallet: Bytes, work: (in_: Inside) => Promise<T>): Promise<T> {
  const result = await cosigner.store.withWallet(wallet, async (tx) => work(await inside(cosigner, tx)));
  cosigner.announcements.tell(wallet);
  return result;
}

const ceremonyOf = (ceremony: CeremonyView): Answer => ({ kind: 'ceremony', ceremony });
