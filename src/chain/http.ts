/** One request with a deadline and a bound on its answer. Whatever goes wrong on the way is `ChainUnavailable`. */
import { ensure, HoarfrostError } from '../protocol/errors.ts';

export interface HttpRequest {
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  /** Ends the request early: the caller's own deadline, or that it closes. */
  signal: AbortSignal;
  deadlineMs: number;
  /** Most bytes of the answer. */
  max: number;
}

export interface HttpAnswer {
  status: number;
  text: string;
}

export async function request(url: string, options: HttpRequest): Promise<HttpAnswer> {
  const { signal, deadlineMs, max, ...init } = options;
  try {
    const response = await fetch(url, {
      ...init,
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
      // An answer from elsewhere is not the one that was asked for.
      redirect: 'error',
      credentials: 'omit',
      cache: 'no-store',
    });
    return { status: response.status, text: await bounded(response, max) };
  } catch (cause) {
    if (cause instanceof HoarfrostError) throw cause;
    const late = cause instanceof DOMException && cause.name === 'TimeoutError';
    throw new HoarfrostError('ChainUnavailable', { detail: late ? 'deadline' : 'connection', cause });
  }
}

async function bounded(response: Response, max: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  if (response.body === null) return text;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.length;
    if (length > max) {
      await reader.cancel();
      throw new HoarfrostError('ChainUnavailable', { detail: 'answer too large' });
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** The base of a server's addresses, without a slash at its end. `BadConfiguration` if it is none. */
export function baseUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  ensure(
    parsed !== null && (parsed.protocol === 'http:' || parsed.protocol === 'https:'),
    'BadConfiguration',
    { detail: 'chain source URL' },
  );
  return parsed.href.replace(/\/+$/, '');
}
