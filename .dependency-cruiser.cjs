/**
 * Who may import whom (docs: README, "The rooms"). `scripts/rules.ts` runs this, then plants a violation to see that the
 * check can fail, and refuses to pass on fewer modules than it knows there are.
 */
const rooms = [
  'protocol',
  'crypto',
  'frost',
  'bitcoin',
  'chain',
  'policy',
  'ark',
  'provider',
  'device',
  'cosigner',
  'recovery',
  'ui',
];

/** room -> the other rooms that it may import. */
const may = {
  protocol: [],
  crypto: ['protocol'],
  frost: ['crypto', 'protocol'],
  bitcoin: ['protocol'],
  chain: ['bitcoin', 'protocol'],
  policy: ['bitcoin', 'protocol'],
  ark: ['frost', 'bitcoin', 'chain', 'crypto', 'protocol'],
  provider: ['protocol'],
  device: ['protocol', 'crypto', 'frost', 'bitcoin', 'chain', 'policy', 'ark', 'provider'],
  cosigner: ['protocol', 'crypto', 'frost', 'bitcoin', 'chain', 'policy', 'ark'],
  recovery: ['protocol', 'crypto', 'frost', 'bitcoin', 'chain', 'policy'],
  ui: ['protocol'],
};

const walls = rooms.map((room) => ({
  name: `${room}-imports-only-its-own`,
  comment: `${room} may import: ${may[room].join(', ') || 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: {
    path: '^src/',
    pathNot: [
      `^src/(${[room, ...may[room]].join('|')})/`,
      ...(room === 'ui' ? ['^src/device/port\\.ts$'] : []),
    ],
  },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...walls,
    {
      name: 'ui-knows-the-port-by-type-only',
      severity: 'error',
      from: { path: '^src/ui/' },
      to: { path: '^src/device/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nobody-imports-entrypoints',
      severity: 'error',
      from: { pathNot: '^entrypoints/' },
      to: { path: '^entrypoints/' },
    },
    {
      name: 'product-imports-no-scripts-or-tests',
      severity: 'error',
      from: { path: '^(src|entrypoints)/' },
      to: { path: '^(scripts|test)/' },
    },
    {
      name: 'only-the-signer-loads-our-wasm',
      severity: 'error',
      from: { path: '^(src|entrypoints)/', pathNot: '^src/crypto/' },
      to: { path: '(\\.wasm$|signer\\.wasm\\.generated|^wasm/|wasmSigner)' },
    },
    {
      name: 'only-kdf-loads-argon2',
      severity: 'error',
      from: { path: '^(src|entrypoints)/', pathNot: '^src/crypto/kdf\\.ts$' },
      to: { path: 'node_modules/hash-wasm' },
    },
    {
      name: 'browser-api-in-its-rooms',
      severity: 'error',
      from: { path: '^(src|entrypoints)/', pathNot: '^(src/(device|ui|provider)/|entrypoints/)' },
      to: { path: 'webextension-polyfill' },
    },
    {
      name: 'no-polyfill-in-content-scripts',
      severity: 'error',
      from: { path: '^entrypoints/.*\\.content' },
      to: { path: 'webextension-polyfill', reachable: true },
    },
    {
      name: 'node-in-its-rooms',
      severity: 'error',
      from: { path: '^(src|entrypoints)/', pathNot: '^src/(cosigner/|chain/transport/)' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-drawers-for-everything',
      severity: 'error',
      from: {},
      to: { path: '/(utils|util|helpers|helper|common)(/|[.]ts)', pathNot: 'node_modules' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '\\?|^#|^wxt' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: require('node:path').join(__dirname, 'tsconfig.json') },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
