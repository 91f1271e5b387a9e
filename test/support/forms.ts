/** Where and in which shape a secret could lie about: what the searches for leaks look for. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Raw, reversed, hex in both cases, base64 and base64url at all three alignments, each text also as UTF-16. */
export function formsOf(secret: Uint8Array): Map<string, Buffer> {
  const raw = Buffer.from(secret);
  const forms = new Map<string, Buffer>([
    ['raw', raw],
    ['raw, reversed', Buffer.from(raw).reverse()],
  ]);
  const text = (name: string, value: string) => {
    forms.set(name, Buffer.from(value, 'latin1'));
    forms.set(`${name}, UTF-16`, Buffer.from(value, 'utf16le'));
  };
  for (const [order, bytes] of [
    ['', raw],
    [', reversed', Buffer.from(raw).reverse()],
  ] as const) {
    const hex = bytes.toString('hex');
    text(`hex${order}`, hex);
    text(`HEX${order}`, hex.toUpperCase());
    // Inside a longer base64 text the same bytes look different at each offset mod 3; the whole groups between are fixed.
    for (const offset of [0, 1, 2]) {
      const inner = bytes.subarray((3 - offset) % 3);
      const whole = inner.subarray(0, inner.length - (inner.length % 3));
      text(`base64 at ${offset}${order}`, whole.toString('base64'));
      text(`base64url at ${offset}${order}`, whole.toString('base64url'));
    }
  }
  text('decimal bytes', raw.join(','));
  text('decimal', BigInt(`0x${raw.toString('hex')}`).toString());
  return forms;
}

export interface Haystack {
  name: string;
  bytes: Buffer;
}

/** Every file below a folder, as it lies there now. What is deleted meanwhile, file or folder, is none of them. */
export async function filesBelow(folder: string, name = ''): Promise<Haystack[]> {
  const found: Haystack[] = [];
  const gone = (error: NodeJS.ErrnoException) => {
    if (name === '' || error.code !== 'ENOENT') throw error;
    return [];
  };
  for (const entry of await readdir(join(folder, name), { withFileTypes: true }).catch(gone)) {
    const path = join(name, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(folder, path)));
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(folder, path)).catch(() => undefined);
    if (bytes !== undefined) found.push({ name: path, bytes });
  }
  return found;
}

/** `file: form` of every hit. */
export function search(haystacks: readonly Haystack[], secret: Uint8Array): string[] {
  const forms = formsOf(secret);
  return haystacks.flatMap(({ name, bytes }) =>
    [...forms].filter(([, form]) => bytes.includes(form)).map(([form]) => `${name}: ${form}`),
  );
}
