/** The icons of the reference sheet: 20 by 20, drawn with the current colour. Decorative; the words beside them carry the meaning. */
import type { ComponentChild } from 'preact';

const DRAWINGS = {
  wallet: () => (
    <>
      <path d="M3.5 6.5A2 2 0 0 1 5.5 4.5H14v3M3.5 6.5v8a2 2 0 0 0 2 2h11v-9h-11a2 2 0 0 1-2-1z" />
      <path d="M13.5 12h.01" stroke-width="2.2" />
    </>
  ),
  gear: () => (
    <>
      <circle cx="10" cy="10" r="2.4" />
      <path d="M10 2.8v2.1M10 15.1v2.1M2.8 10h2.1M15.1 10h2.1M4.9 4.9l1.5 1.5M13.6 13.6l1.5 1.5M4.9 15.1l1.5-1.5M13.6 6.4l1.5-1.5" />
    </>
  ),
  send: () => (
    <>
      <path d="M6 14L14 6M7 6h7v7" />
    </>
  ),
  receive: () => (
    <>
      <path d="M14 6L6 14M6 7v7h7" />
    </>
  ),
  back: () => (
    <>
      <path d="M12 4.5L6.5 10l5.5 5.5" />
    </>
  ),
  next: () => (
    <>
      <path d="M8 4.5L13.5 10 8 15.5" />
    </>
  ),
  down: () => (
    <>
      <path d="M4.5 7.5L10 13l5.5-5.5" />
    </>
  ),
  up: () => (
    <>
      <path d="M4.5 12.5L10 7l5.5 5.5" />
    </>
  ),
  copy: () => (
    <>
      <rect x="7" y="7" width="9.5" height="9.5" rx="2" />
      <path d="M13 7V5.5a2 2 0 0 0-2-2H5.5a2 2 0 0 0-2 2V11a2 2 0 0 0 2 2H7" />
    </>
  ),
  check: () => (
    <>
      <path d="M4 10.5l4 4 8-9" />
    </>
  ),
  x: () => (
    <>
      <path d="M5 5l10 10M15 5L5 15" />
    </>
  ),
  alert: () => (
    <>
      <path d="M10 3.2L17.3 16H2.7z" />
      <path d="M10 8v3.6M10 13.8v.01" />
    </>
  ),
  stop: () => (
    <>
      <path d="M7 2.8h6L17.2 7v6L13 17.2H7L2.8 13V7z" />
      <path d="M10 6.5v4.3M10 13.4v.01" />
    </>
  ),
  info: () => (
    <>
      <circle cx="10" cy="10" r="7.2" />
      <path d="M10 9.2v4.3M10 6.5v.01" />
    </>
  ),
  clock: () => (
    <>
      <circle cx="10" cy="10" r="7.2" />
      <path d="M10 5.8V10l2.8 1.8" />
    </>
  ),
  lock: () => (
    <>
      <rect x="4.5" y="8.8" width="11" height="8" rx="2" />
      <path d="M6.8 8.8V6.5a3.2 3.2 0 0 1 6.4 0v2.3" />
    </>
  ),
  server: () => (
    <>
      <rect x="3.5" y="3.5" width="13" height="5.6" rx="1.6" />
      <rect x="3.5" y="10.9" width="13" height="5.6" rx="1.6" />
      <path d="M6.3 6.3h.01M6.3 13.7h.01M9 6.3h4.5M9 13.7h4.5" />
    </>
  ),
  paper: () => (
    <>
      <path d="M5 2.8h7.2L15.5 6v11.2H5z" />
      <path d="M12 2.8V6.2h3.5M7.5 9.5h5.5M7.5 12h5.5M7.5 14.5h3" />
    </>
  ),
  link: () => (
    <>
      <path d="M8.5 11.5a3 3 0 0 0 4.3 0l2.7-2.7a3 3 0 0 0-4.3-4.3l-.9.9M11.5 8.5a3 3 0 0 0-4.3 0l-2.7 2.7a3 3 0 0 0 4.3 4.3l.9-.9" />
    </>
  ),
  pen: () => (
    <>
      <path d="M4 16l.8-3.4 8-8a1.7 1.7 0 0 1 2.5 2.5l-8 8z" />
      <path d="M3.5 17.5h13" opacity=".001" />
    </>
  ),
  globe: () => (
    <>
      <circle cx="10" cy="10" r="7.2" />
      <path d="M2.8 10h14.4M10 2.8c2.4 2.1 3.4 4.5 3.4 7.2s-1 5.1-3.4 7.2c-2.4-2.1-3.4-4.5-3.4-7.2s1-5.1 3.4-7.2z" />
    </>
  ),
  refresh: () => (
    <>
      <path d="M15.8 8A6.2 6.2 0 0 0 4.6 6.8M4.2 12a6.2 6.2 0 0 0 11.2 1.2M4.3 3.5v3.4h3.4M15.7 16.5v-3.4h-3.4" />
    </>
  ),
  eye: () => (
    <>
      <path d="M2.5 10S5.2 4.8 10 4.8 17.5 10 17.5 10 14.8 15.2 10 15.2 2.5 10 2.5 10z" />
      <circle cx="10" cy="10" r="2.3" />
    </>
  ),
  hide: () => (
    <>
      <path d="M3.5 3.5l13 13M8 5.1A7 7 0 0 1 10 4.8c4.8 0 7.5 5.2 7.5 5.2a13 13 0 0 1-2.2 2.8M5.2 6.7A13 13 0 0 0 2.5 10s2.7 5.2 7.5 5.2a7 7 0 0 0 3.3-.8" />
    </>
  ),
  user: () => (
    <>
      <circle cx="10" cy="7" r="3.3" />
      <path d="M3.8 16.8c.5-3.4 3-5 6.2-5s5.7 1.6 6.2 5" />
    </>
  ),
  theme: () => (
    <>
      <circle cx="10" cy="10" r="7" />
      <path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor" />
    </>
  ),
  offline: () => (
    <>
      <path d="M3 3l14 14M2.8 8.2a10.5 10.5 0 0 1 3-2M9 5.1a10.5 10.5 0 0 1 8.2 3.1M5.5 11.2a6.6 6.6 0 0 1 3-1.7M12.5 9.9a6.6 6.6 0 0 1 2 1.3M8.2 14a2.7 2.7 0 0 1 3.6 0M10 16.5v.01" />
    </>
  ),
  block: () => (
    <>
      <path d="M10 2.8l6.3 3.6v7.2L10 17.2l-6.3-3.6V6.4z" />
      <path d="M3.7 6.4L10 10l6.3-3.6M10 10v7.2" />
    </>
  ),
  wait: () => (
    <>
      <path d="M5.5 3h9M5.5 17h9M6.5 3v2.6c0 1.9 3.5 3 3.5 4.4s-3.5 2.5-3.5 4.4V17M13.5 3v2.6c0 1.9-3.5 3-3.5 4.4s3.5 2.5 3.5 4.4V17" />
    </>
  ),
  list: () => (
    <>
      <path d="M4 5.5h.01M4 10h.01M4 14.5h.01" stroke-width="2.2" />
      <path d="M7.5 5.5h9M7.5 10h9M7.5 14.5h9" />
    </>
  ),
  equal: () => (
    <>
      <path d="M4.5 7.5h11M4.5 12.5h11" />
    </>
  ),
  unequal: () => (
    <>
      <path d="M4.5 7.5h11M4.5 12.5h11M13 4L7 16" />
    </>
  ),
  undo: () => (
    <>
      <path d="M7 4L3.5 7.5 7 11M3.8 7.5H12a4.3 4.3 0 0 1 0 8.6H8" />
    </>
  ),
  out: () => (
    <>
      <path d="M8 4.5H4.5v11h11V12M11.5 3.5h5v5M16.3 3.7L9.5 10.5" />
    </>
  ),
  save: () => (
    <>
      <path d="M10 3.5v8.5M6.5 8.8L10 12.3l3.5-3.5M4 16.5h12" />
    </>
  ),
  safety: () => (
    <>
      <path d="M10 3l6 2v4.5c0 3.8-2.5 6.3-6 7.5-3.5-1.2-6-3.7-6-7.5V5z" />
      <path d="M7.5 9.8l1.8 1.8 3.3-3.4" />
    </>
  ),
  bell: () => (
    <>
      <path d="M5.5 8.5a4.5 4.5 0 0 1 9 0c0 4 1.7 5 1.7 5H3.8s1.7-1 1.7-5zM8.5 16.2a1.7 1.7 0 0 0 3 0" />
    </>
  ),
  passkey: () => (
    <>
      <circle cx="7.5" cy="6.8" r="3.3" />
      <path d="M2.5 16.5c0-3 2.2-4.8 5-4.8 1 0 1.9.2 2.7.6" />
      <circle cx="14.3" cy="9.3" r="2.4" />
      <path d="M14.3 11.7v5l1.6-1.4M14.3 14h1.4" />
    </>
  ),
  browser: () => (
    <>
      <rect x="2.8" y="4" width="14.4" height="12" rx="2" />
      <path d="M2.8 7.8h14.4M5.4 5.9h.01M7.4 5.9h.01" />
    </>
  ),
} satisfies Record<string, () => ComponentChild>;

export type IconName = keyof typeof DRAWINGS;

export function Icon({ name, small = false }: { name: IconName; small?: boolean }) {
  return (
    <svg class={small ? 'icon icon--sm' : 'icon'} viewBox="0 0 20 20" aria-hidden="true">
      {DRAWINGS[name]()}
    </svg>
  );
}
