/** Relative while it matters, absolute with weekday within the week, with the year beyond; in the user's locale and zone. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A moment of the past or the near future, in milliseconds since 1970. */
export function momentText(at: number, now: number, locale?: string): string {
  const past = now - at;
  if (past >= 0 && past < MINUTE) return 'just now';
  if (past >= 0 && past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  if (Math.abs(past) < 6 * DAY) {
    return new Intl.DateTimeFormat(locale, {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
    }).format(at);
  }
  return new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  }).format(at);
}

/** A wait, rounded up: seconds under a minute, then two units. */
export function waitText(ms: number): string {
  if (ms <= MINUTE) return `${Math.max(1, Math.ceil(ms / 1000))} s`;
  const minutes = Math.ceil(ms / MINUTE);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** What a step took. */
export function tookText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A day, as it stands on paper. */
export function dateText(at: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' }).format(at);
}
