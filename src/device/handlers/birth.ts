/** The key's birth at the port: pairing, and the one keygen that may run, which belongs to the page that started it. */
import { ensure } from '../../protocol/errors.ts';
import { generateNoiseKeyPair } from '../../protocol/noise.ts';
import { Connection } from '../connection.ts';
import { Keygen, resumeKeygen } from '../keygen.ts';
import { pairingView, parsePairing } from '../pairing.ts';
import type { Caller, Handlers, Inside } from './subject.ts';

type Bytes = Uint8Array<ArrayBuffer>;

type BirthMethod =
  | 'readPairing'
  | 'tryPairing'
  | 'keygenStart'
  | 'keygenRound1'
  | 'keygenRound2'
  | 'keygenCertify'
  | 'keygenResume'
  | 'keygenStop';

export class Birth {
  readonly #inside: Inside;
  #keygen: { run: Keygen; owner: Caller } | null = null;
  #starting = false;
  #resuming: Promise<Bytes | null> | null = null;

  constructor(inside: Inside) {
    this.#inside = inside;
  }

  /** The try that runs, or null. */
  get running(): Keygen | null {
    return this.#keygen?.run ?? null;
  }

  get busy(): boolean {
    return this.#keygen !== null || this.#starting;
  }

  pageClosed(page: Caller): void {
    if (this.#keygen?.owner === page) this.#stop();
  }

  readonly handlers: Handlers<BirthMethod> = {
    readPairing: async ({ uri }) => pairingView(parsePairing(uri)),
    tryPairing: async ({ uri, network }) => {
      const pairing = parsePairing(uri);
      await this.#ensureUnpaired();
      ensure(pairing.network === null || pairing.network === network, 'WrongNetwork');
      // A key of this one look: the real one is born with the share.
      const local = await generateNoiseKeyPair();
      const { env } = this.#inside.parts;
      const { connection } = await Connection.open({ cosigner: pairing, network, local, env });
      connection.close();
      return pairingView(pairing);
    },
    keygenStart: async ({ uri, recoveryHello, ...rest }, owner) => {
      const pairing = parsePairing(uri);
      await this.#ensureUnpaired();
      ensure(!this.#starting && (this.#keygen === null || this.#keygen.owner === owner), 'OtherTab');
      this.#stop();
      this.#starting = true;
      try {
        const args = { ...rest, pairing, recoveryHello: bytes(recoveryHello) };
        const { keygen, hellos } = await Keygen.start(this.#inside.parts, args);
        this.#keygen = { run: keygen, owner };
        void keygen.closed.then(() => this.#ended(keygen));
        this.#inside.tell();
        return { hellos };
      } finally {
        this.#starting = false;
      }
    },
    keygenRound1: async ({ recovery }, owner) => ({
      messages: await this.#of(owner).round1(bytes(recovery)),
    }),
    keygenRound2: async ({ recovery }, owner) => ({
      messages: await this.#of(owner).round2(bytes(recovery)),
    }),
    keygenCertify: async ({ recovery }, owner) => {
      const run = this.#of(owner);
      const certificate = await run.certify(bytes(recovery), (dataKey) => this.#inside.begin(dataKey));
      this.#ended(run);
      await this.#inside.openWallet();
      return { certificate };
    },
    keygenResume: async () => ({ certificate: await this.resume() }),
    keygenStop: async (_, owner) => {
      if (this.#keygen?.owner === owner) this.#stop();
      return null;
    },
  };

  /** The certificate, or null if keygen must begin again. One question at a time; the second asker hears the first one's answer. */
  resume(): Promise<Bytes | null> {
    const resume = async () => {
      const { open, parts, vault } = this.#inside;
      if (open !== null) return open.wallet.certificate;
      if ((await parts.db.get('vault', 'vault')) === null) return null;
      ensure(vault !== null, 'Locked');
      const certificate = await resumeKeygen(parts, vault);
      if (certificate !== null) await this.#inside.openWallet();
      return certificate;
    };
    this.#resuming ??= resume().finally(() => {
      this.#resuming = null;
    });
    return this.#resuming;
  }

  async #ensureUnpaired(): Promise<void> {
    ensure((await this.#inside.parts.db.get('wallet', 'wallet')) === null, 'WalletExists');
  }

  #of(owner: Caller): Keygen {
    ensure(this.#keygen !== null, 'SessionUnknown', { detail: 'keygen' });
    ensure(this.#keygen.owner === owner, 'OtherTab');
    return this.#keygen.run;
  }

  #stop(): void {
    const run = this.#keygen?.run;
    run?.stop();
    if (run !== undefined) this.#ended(run);
  }

  #ended(run: Keygen): void {
    if (this.#keygen?.run !== run) return;
    this.#keygen = null;
    this.#inside.tell();
  }
}

function bytes(message: Uint8Array): Bytes {
  return Uint8Array.from(message);
}
