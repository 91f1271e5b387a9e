/** The device in hooks: its state, the link to it, and calls whose waiting and failing the screen can show. */
import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { DeviceState, PortMethod, PortMethods } from '../device/port.ts';
import { type ErrorCode, isHoarfrostError } from '../protocol/errors.ts';
import type { DeviceClient, LinkState } from './portClient.ts';

const ClientContext = createContext<DeviceClient | null>(null);
export const DeviceProvider = ClientContext.Provider;

export function useClient(): DeviceClient {
  const client = useContext(ClientContext);
  if (client === null) throw new Error('no device above this screen');
  return client;
}

export function useLink(): LinkState {
  const client = useClient();
  const [link, setLink] = useState<LinkState>('open');
  useEffect(() => client.onLink(setLink), [client]);
  return link;
}

export interface DeviceView {
  /** Null until the device has said its first word. */
  state: DeviceState | null;
  /** Why it has not, after its deadline. */
  error: Failure | null;
  ask(): void;
}

export function useDeviceState(): DeviceView {
  const client = useClient();
  const [state, setState] = useState<DeviceState | null>(null);
  const first = useCall('state');
  const ask = useCallback(() => {
    first.run(null).then((s) => s !== null && setState(s));
  }, [first.run]);
  useEffect(() => {
    ask();
    return client.onEvent((event) => event.kind === 'state' && setState(event.state));
  }, [client, ask]);
  return { state, error: first.error, ask };
}

export interface Failure {
  code: ErrorCode;
  detail: string;
  retryAfterMs: number;
}

export function failureOf(e: unknown): Failure {
  if (!isHoarfrostError(e)) return { code: 'Internal', detail: '', retryAfterMs: 0 };
  return { code: e.code, detail: e.detail ?? '', retryAfterMs: e.retryAfterMs ?? 0 };
}

export interface Call<M extends PortMethod> {
  /** The result, or null if it failed or a newer call took its place. Never rejects. */
  run(argument: PortMethods[M][0]): Promise<PortMethods[M][1] | null>;
  /** Forgets the error, and the answer of a call that still runs. */
  reset(): void;
  busy: boolean;
  error: Failure | null;
}

export function useCall<M extends PortMethod>(method: M): Call<M> {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Failure | null>(null);
  const turn = useRef(0);
  useEffect(
    () => () => {
      turn.current += 1;
    },
    [],
  );
  const run = useCallback(
    async (argument: PortMethods[M][0]) => {
      turn.current += 1;
      const mine = turn.current;
      setBusy(true);
      setError(null);
      try {
        const result = await client.call(method, argument);
        return mine === turn.current ? result : null;
      } catch (e) {
        if (mine === turn.current) setError(failureOf(e));
        return null;
      } finally {
        if (mine === turn.current) setBusy(false);
      }
    },
    [client, method],
  );
  const reset = useCallback(() => {
    turn.current += 1;
    setBusy(false);
    setError(null);
  }, []);
  return { run, reset, busy, error };
}
