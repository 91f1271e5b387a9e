import { HoarfrostError } from '../protocol/errors.ts';

/** `DeadlineExceeded` after `ms`; the work itself goes on unwatched. */
export function withDeadline<T>(work: Promise<T>, ms: number, detail: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new HoarfrostError('DeadlineExceeded', { detail })), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
