/** Guards of what a predecessor got wrong: rows of docs/audit.json whose guard is a line that can be taken out. */
import { guards } from './guard.ts';

const SESSION = 'src/cosigner/session.ts';
const CONNECTION = 'src/device/connection.ts';
const CHANNEL_TEST = 'test/unit/deviceChannel.test.ts';
const SESSION_TEST = 'test/unit/cosignerSession.test.ts';
const NO_WALLET = 'audit-02 audit-03 a device without a wallet gets one answer to everything';

export const AUDIT_GUARDS = [
  ...guards('src/protocol/noise.ts', 'test/unit/noise.test.ts', [
    [
      'audit-01',
      'the answer made with the pinned key',
      '        await state.mixDh(local, re);\n        await state.decryptAndHash(message2.slice(32));\n',
      '        await state.mixDh(local, re);\n',
      'the channel by WebCrypto refuses > audit-01: a cosigner without the pinned key, on both ends',
    ],
    [
      'audit-17',
      'the end of a channel with the first message that is not the next one',
      '        this.#broken = true;\n',
      '',
      'the channel by WebCrypto refuses > audit-16, audit-17: a message repeated, skipped, reordered or altered, and everything after it',
    ],
    [
      'audit-18',
      'the bound of a message of the channel',
      "    ensure(plaintext.length <= NOISE_PLAINTEXT_MAX, 'TooLarge');\n",
      '',
      'the channel by WebCrypto refuses > audit-18: a plaintext over 65,519 bytes',
    ],
  ]),
  ...guards(SESSION, SESSION_TEST, [
    [
      'audit-02',
      'a wallet of its own for each question',
      "    ensure(this.#wallet !== null, 'NotEnrolled');\n    return this.#wallet;\n",
      '    return this.#wallet!;\n',
      NO_WALLET,
    ],
  ]),
  ...guards('src/cosigner/keygen.ts', 'test/unit/cosignerKeygen.test.ts', [
    [
      'audit-02',
      'the proof of who fetches a certificate',
      "  ensure(certificate !== null && key !== null && proved, 'SessionUnknown');\n",
      "  ensure(certificate !== null && key !== null, 'SessionUnknown');\n",
      'audit-02 unknown session, foreign key, other id and another connection are one answer',
    ],
  ]),
  ...guards('src/cosigner/walletChain.ts', SESSION_TEST, [
    [
      'audit-03',
      'coins of the wallet in what it broadcasts',
      "      ensure(this.#known.has(txid) || spends.some((outpoint) => own.has(outpoint)), 'ForeignInput');\n",
      '      void own;\n',
      'audit-03 only what spends coins of this wallet is broadcast',
    ],
    [
      'audit-19',
      "somebody else's transaction",
      'const found = this.#known.has(name) ? await',
      'const found = name !== null ? await',
      "audit-19 somebody else's transaction is as unknown as none",
    ],
  ]),
  ...guards('src/cosigner/walletChain.ts', 'test/unit/cosignerLimits.test.ts', [
    [
      'audit-03',
      'the rate of broadcasts',
      '    this.#cosigner.limiter.broadcasts.take(hex.encode(wallet));\n',
      '',
      'audit-03 broadcasts of a wallet are limited, whatever they carry',
    ],
  ]),
  ...guards('src/cosigner/listener.ts', 'test/unit/cosignerPlaces.test.ts', [
    [
      'audit-12',
      'the places of strangers',
      'const isRoom = this.#strangers.hasRoomFor(address);',
      'const isRoom = true;',
      'strangers who stay hold a quarter of all, and make room for each other',
    ],
    [
      'audit-12',
      'the connections of one device',
      '    if (own.length > DEVICE_CONNECTIONS) own.shift()!.refuse();\n',
      '',
      'a device that opens many connections closes its own oldest',
    ],
    [
      'audit-12',
      'the end of a connection after its page',
      '    this.#server.maxRequestsPerSocket = 1;\n',
      '',
      'no connection is kept after a page',
    ],
    [
      'audit-12',
      'the look for who says nothing after TLS',
      '      connectionsCheckingInterval: CHECK_MS,\n',
      '',
      'who says nothing after TLS is gone with the deadline of the handshake',
    ],
  ]),
  ...guards('src/cosigner/limits.ts', 'test/unit/cosignerPlaces.test.ts', [
    [
      'audit-12',
      'the sites of addresses',
      'return groups.length === 4 ?',
      'return groups.length === 0 ?',
      'a flooder with a network of addresses makes room for who comes from elsewhere',
    ],
  ]),
  ...guards('src/cosigner/refresh.ts', 'test/unit/cosignerLimits.test.ts', [
    [
      'audit-12',
      'the rate of test signatures',
      '      limiter.tests.take(bytesToHex(id));\n',
      '',
      'test signatures of a wallet are limited, and one that was given is given again',
    ],
  ]),
  ...guards(SESSION, 'test/unit/cosignerChannel.test.ts', [
    [
      'audit-04',
      'the bound of what a stranger may send',
      '    return this.enrolled || this.#takeover.running ? MESSAGE_MAX : STRANGER_MESSAGE_MAX;\n',
      '    return STRANGER_MESSAGE_MAX > 0 ? MESSAGE_MAX : STRANGER_MESSAGE_MAX;\n',
      'audit-04 a stranger may not send what only a wallet needs to',
      'Error: close: not within',
    ],
  ]),
  ...guards(CONNECTION, CHANNEL_TEST, [
    [
      'audit-06',
      'the end of all that waits when a connection drops',
      '    for (const { fail } of this.#waiting.values()) fail(failure);\n',
      '',
      'audit-06: when it drops, all that waits fails at once',
      'Error: failure: not within',
    ],
    [
      'audit-25',
      'the end of a connection past a deadline',
      "      if (isHoarfrostError(e) && e.code === 'DeadlineExceeded') this.#end(e, CLOSE.deadline);\n",
      '',
      'audit-25: a request has a deadline, and takes the connection with it',
    ],
  ]),
  ...guards('src/device/remoteChain.ts', CHANNEL_TEST, [
    [
      'audit-20',
      'the bounds of fee rates, at the device',
      '      return boundRates({ fast, medium, slow }, floor);\n',
      '      return { fast, medium, slow, floor };\n',
      'audit-20: fee rates come in order and within bounds, whatever the cosigner says',
    ],
  ]),
  ...guards('src/chain/feeRates.ts', 'test/unit/chainFeeRates.test.ts', [
    [
      'audit-20',
      'the order of fee rates',
      "  const medium = within('medium', fast);\n",
      "  const medium = within('medium', CEILING);\n",
      'audit-20: estimates are kept within bounds and in order, whatever a server says',
    ],
  ]),
  ...guards('src/cosigner/clock.ts', 'test/unit/cosignerClock.test.ts', [
    [
      'audit-09',
      'a clock that follows by small steps, for a jump forward',
      '    const next = Math.min(Math.max(now(), time + elapsed - slack), time + elapsed + slack);\n',
      '    const next = Math.max(now(), time + elapsed - slack);\n',
      'audit-09 a jump of 86400000 ms moves it by no more than what passed',
    ],
    [
      'audit-09',
      'a clock that follows by small steps, for a jump back',
      '    const next = Math.min(Math.max(now(), time + elapsed - slack), time + elapsed + slack);\n',
      '    const next = Math.min(now(), time + elapsed + slack);\n',
      'audit-09 a jump of -86400000 ms moves it by no more than what passed',
    ],
  ]),
  ...guards('src/device/unlockSession.ts', 'test/unit/deviceUnlockSession.test.ts', [
    [
      'audit-10',
      'a wrapping key that cannot be exported',
      "generateKey({ name: 'AES-GCM', length: 256 }, false, [",
      "generateKey({ name: 'AES-GCM', length: 256 }, true, [",
      'audit-10: neither half holds the data key, and the wrapping key cannot be exported',
    ],
  ]),
  ...guards('src/device/vault.ts', 'test/unit/deviceVault.test.ts', [
    [
      'audit-10',
      'a channel key that cannot be exported',
      "        'X25519',\n        false,\n        ['deriveBits'],\n",
      "        'X25519',\n        true,\n        ['deriveBits'],\n",
      'audit-10: the channel key that comes out cannot be exported',
    ],
  ]),
  ...guards('src/cosigner/connection.ts', SESSION_TEST, [
    [
      'audit-11',
      'the end of a drained connection',
      '      if (this.#draining !== undefined) this.#close(this.#draining);\n',
      '',
      'audit-11 draining finishes the request in hand, then closes with 1001',
      'Error: ',
    ],
  ]),
  ...guards('src/cosigner/limits.ts', 'test/unit/cosignerLimits.test.ts', [
    [
      'audit-12',
      'what a bucket still lacks',
      '    if (waitMs > 0) return waitMs;\n',
      '',
      'audit-12 token buckets > a burst is there at once, then as much as comes back, to the millisecond',
    ],
    [
      'audit-12',
      'the one bucket of all names over the bound',
      "    return this.#fullAt.size < this.#namesMax ? name : '';\n",
      '    return name;\n',
      'audit-12 token buckets > names are bounded, and making new ones frees nobody',
    ],
  ]),
  ...guards('src/cosigner/health.ts', SESSION_TEST, [
    [
      'audit-13',
      'the parts that must be there',
      '  return { ready: Object.values(health).every((state) => state === OK), health };\n',
      '  return { ready: true, health };\n',
      'audit-13 health pages',
    ],
  ]),
  ...guards('src/protocol/frames.ts', 'test/unit/protocol.test.ts', [
    [
      'audit-18',
      'the whole size, with the first part',
      "    ensure(total > 0 && total <= this.#max, 'TooLarge');\n",
      '',
      'audit-18: the whole size is checked with the first part',
    ],
  ]),
  ...guards('src/cosigner/backup.ts', 'test/unit/cosignerBackup.test.ts', [
    [
      'audit-23',
      "a newer version's backup",
      "      ensure(part.schema <= MIGRATIONS.length, 'WrongVersion', { detail: 'backup of a newer version' });\n",
      '',
      'audit-23 one of a newer version is refused',
    ],
  ]),
  ...guards('src/cosigner/log.ts', 'test/unit/cosignerConfig.test.ts', [
    [
      'audit-27',
      'the check of a field that is logged',
      'if (value !== undefined && allowed(value)) ',
      'if (value !== undefined && allowed !== undefined) ',
      'audit-27 log > a line is JSON of the listed fields, and nothing else gets in',
    ],
    [
      'audit-29',
      'the level that may change while it runs',
      'LOG_LEVELS.indexOf(log.level)) return;',
      'LOG_LEVELS.indexOf(level)) return;',
      'audit-29 the level changes while it runs',
    ],
  ]),
  ...guards('src/cosigner/connection.ts', 'test/unit/cosignerChannel.test.ts', [
    [
      'audit-05',
      'frames that are bytes',
      '    if (!isBinary || !Buffer.isBuffer(data)) {\n',
      '    if (!Buffer.isBuffer(data)) {\n',
      'audit-05 audit-18 frames > a text frame is refused as such',
    ],
  ]),
  ...guards('src/cosigner/connection.ts', SESSION_TEST, [
    [
      'audit-08',
      'the answer to a request that fails unexpectedly',
      '      result = this.#refusal(e, kind);\n',
      '      if (!isHoarfrostError(e)) throw e;\n      result = this.#refusal(e, kind);\n',
      'audit-08 one request that fails unexpectedly is Internal, and touches nothing else',
      'Error: ',
    ],
  ]),
  ...guards('src/cosigner/authorise.ts', 'test/unit/cosignerSigning.test.ts', [
    [
      'audit-16',
      'the ledger of requests',
      '  if (before === null) {\n    ensure(!used',
      '  if (before !== undefined) {\n    ensure(!used',
      'attack-13 audit-16 the identical request gets the identical answer, on any connection, for ever',
      'HoarfrostError: AttemptReused',
    ],
  ]),
  ...guards('src/device/keygen.ts', 'test/unit/deviceAttack.test.ts', [
    [
      'audit-24',
      'the wiping of the share before the certificate is awaited',
      '        share.wipe();\n        this.#host.wipe();\n',
      '        this.#host.wipe();\n',
      'audit-24: keygen keeps no secret longer than it needs it > while the certificate is awaited, neither share nor host key is in the clear',
    ],
    [
      'audit-24',
      'the wiping of the host key before the certificate is awaited',
      '        share.wipe();\n        this.#host.wipe();\n',
      '        share.wipe();\n',
      'audit-24: keygen keeps no secret longer than it needs it > while the certificate is awaited, neither share nor host key is in the clear',
    ],
  ]),
  ...guards('src/device/wallet.ts', 'test/unit/deviceWallet.test.ts', [
    [
      'audit-26',
      'what a reorg takes out of the history',
      "    if (!now.has(txid) && !beyond) changes.push({ store: 'transactions', key: txid, value: null });\n",
      '    void beyond;\n',
      'audit-26: a reorg moves rows and takes some away',
    ],
  ]),
  ...guards('src/cosigner/metrics.ts', 'test/unit/cosignerOperations.test.ts', [
    [
      'audit-28',
      'labels of our own words',
      "/^[A-Za-z]{1,32}$/.test(value) ? value : 'other'",
      'value',
      'audit-28 metrics > a label that is no word of ours is no label, and series are bounded',
    ],
  ]),
  ...guards('src/device/channel.ts', CHANNEL_TEST, [
    [
      'audit-30',
      'the look at a connection that drops',
      '        await Promise.race([connection.closed, sleep(REHANDSHAKE_MS)]);\n',
      '        await sleep(REHANDSHAKE_MS);\n',
      'audit-06, audit-26, audit-30: after a drop it comes back by itself, and what was missed is looked up',
    ],
  ]),
  ...guards('src/cosigner/stores/postgres.ts', 'test/conformance/storeDatabases.test.ts', [
    [
      'audit-22',
      'the mark of the very transaction whose COMMIT was lost',
      '          return stands === mark.number;\n',
      '          return true;\n',
      'postgres > audit-22 where a COMMIT is lost with a server that crashed, no later transaction is taken for it',
    ],
    [
      'audit-22',
      'the wait of a write for the begin of its transaction',
      '          await begun;\n          return sql.run(text, values);\n',
      '          return sql.run(text, values);\n',
      'postgres > audit-22 where a transaction has not begun, nothing is written',
    ],
  ]),
];
