/** JSON-RPC to a Bitcoin node over HTTP. */
import { base64, utf8 } from '@scure/base';
import { HoarfrostError } from '../protocol/errors.ts';
import { baseUrl, type HttpAnswer, request } from './http.ts';
import * as json from './json.ts';

export interface RpcCall {
  method: string;
  params: readonly unknown[];
  wallet?: string;
}

/** The node's own refusal of one call. To everybody else it is `ChainUnavailable`. */
export class RpcFailure extends HoarfrostError {
  readonly rpcCode: number;
  readonly rpcMessage: string;

  constructor(method: string, rpcCode: number, rpcMessage: string, retryAfterMs?: number) {
    super('ChainUnavailable', {
      detail: `${method} ${rpcCode}`,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    this.rpcCode = rpcCode;
    this.rpcMessage = rpcMessage;
  }
}

export interface BitcoindRpc {
  call(call: RpcCall): Promise<unknown>;
  /** One HTTP request to the wallet of the first call; a refused call is a value. */
  batch(calls: readonly RpcCall[]): Promise<unknown[]>;
  /** The same, but the first refusal is thrown. */
  all(calls: readonly RpcCall[]): Promise<unknown[]>;
  close(): void;
}

const DEADLINE_MS = 20_000;
const ANSWER_MAX = 32 << 20;
const RPC_IN_WARMUP = -28;

export function createRpc(options: {
  url: string;
  credentials: () => string | Promise<string>;
  deadlineMs?: number;
}): BitcoindRpc {
  const base = baseUrl(options.url);
  const closed = new AbortController();
  let credentials: string | null = null;

  async function post(path: string, body: string): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        credentials ??= await options.credentials();
        const answer = await request(base + path, {
          method: 'POST',
          headers: {
            authorization: `Basic ${base64.encode(utf8.decode(credentials))}`,
            'content-type': 'application/json',
          },
          body,
          signal: closed.signal,
          deadlineMs: options.deadlineMs ?? DEADLINE_MS,
          max: ANSWER_MAX,
        });
        if (answer.status !== 401) return answer;
      } catch (e) {
        // The node closes connections that we thought open. Every call here may be made twice.
        const gone =
          e instanceof HoarfrostError && e.code === 'ChainUnavailable' && e.detail === 'connection';
        if (!gone && e instanceof HoarfrostError) throw e;
        if (attempt === 2 || closed.signal.aborted) {
          throw new HoarfrostError('ChainUnavailable', { detail: 'connection', cause: e });
        }
      }
      credentials = null;
      if (attempt === 2) throw new HoarfrostError('ChainUnavailable', { detail: 'credentials refused' });
    }
  }

  async function batch(calls: readonly RpcCall[]): Promise<unknown[]> {
    if (calls.length === 0) return [];
    const wallet = calls[0]!.wallet;
    const path = wallet === undefined ? '/' : `/wallet/${encodeURIComponent(wallet)}`;
    const requests = calls.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params }));
    const { status, text } = await post(path, JSON.stringify(requests));
    if (status !== 200) throw new HoarfrostError('ChainUnavailable', { detail: `HTTP ${status}` });
    const answers = json.array(json.parseJson(text), calls.length, 'batch').map((a) => json.object(a));
    return calls.map(({ method }, id) => {
      const answer = answers.find((a) => a.id === id) ?? json.refuse('batch');
      if (answer.error === undefined || answer.error === null) return answer.result;
      const error = json.object(answer.error);
      const code = json.number(error.code, 'error');
      const message = json.string(error.message, 10_000, 'error').slice(0, 200);
      return new RpcFailure(method, code, message, code === RPC_IN_WARMUP ? 1000 : undefined);
    });
  }

  async function all(calls: readonly RpcCall[]): Promise<unknown[]> {
    const results = await batch(calls);
    for (const result of results) if (result instanceof RpcFailure) throw result;
    return results;
  }

  return {
    batch,
    all,
    call: async (call) => (await all([call]))[0],
    close: () => closed.abort(),
  };
}
