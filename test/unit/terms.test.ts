/** The one form of a contact: what a policy may name, and what no header or log can be broken with. */
import { expect, test } from 'vitest';
import { CONTACT_MAX, readContact } from '../../src/protocol/terms.ts';

test.each([
  ['me@example.org', 'mailto:me@example.org'],
  ['  Me.Too+tag@Example.ORG ', 'mailto:Me.Too+tag@example.org'],
  ['mailto:me@example.org', 'mailto:me@example.org'],
  ['me@localhost', 'mailto:me@localhost'],
  ['https://example.org', 'https://example.org/'],
  ['HTTPS://Example.org:443/Hook?x=1', 'https://example.org/Hook?x=1'],
  ['https://127.0.0.1:8443/hook', 'https://127.0.0.1:8443/hook'],
  ['https://bücher.example/ü', 'https://xn--bcher-kva.example/%C3%BC'],
])('%s is %s', (typed, contact) => {
  expect(readContact(typed)).toBe(contact);
  expect(readContact(contact)).toBe(contact);
});

test.each([
  '',
  'me',
  'me@',
  '@example.org',
  'me@example.org, you@example.org',
  'me@example.org\r\nBcc: you@example.org',
  'Me <me@example.org>',
  'me@exa mple.org',
  'me@-example.org',
  'me@[127.0.0.1]',
  `${'m'.repeat(65)}@example.org`,
  `me@${'example.'.repeat(40)}org`,
  'http://example.org/',
  'https://',
  'https://user:password@example.org/',
  'https://example.org/#part',
  'javascript:alert(1)',
  `https://example.org/${'x'.repeat(CONTACT_MAX)}`,
])('%s is no contact', (typed) => {
  expect(readContact(typed)).toBeNull();
});
