/** The background's end of the port to one wallet: serves our own extension's pages and nobody else. */
import type { Runtime } from 'webextension-polyfill';
import { decodePortRequest, encodePort, type PortReply, portErrorOf } from '../protocol/portCodec.ts';
import type { Device } from './device.ts';
import { type Generation, PORT_NAMES, type PortEvent } from './port.ts';
import { checkCall } from './portArguments.ts';

/** Who we are: `runtime.id` and the address that all our pages begin with. */
export interface Self {
  readonly id: string;
  /** `runtime.getURL('')`. */
  readonly origin: string;
}

/** A content script has our id and the address of the page that it runs in, so both must be ours. */
export function isOwnPage(sender: Runtime.MessageSender | undefined, self: Self): boolean {
  return sender?.id === self.id && sender.url?.startsWith(self.origin) === true;
}

/** To the wallet that the port names; one that names none is closed. */
export function connectPort(servers: readonly PortServer[], port: Runtime.Port): void {
  if (!servers.some((server) => server.connect(port))) port.disconnect();
}

export class PortServer {
  readonly #self: Self;
  readonly #name: string;
  readonly #device: () => Promise<Device>;
  readonly #ports = new Set<Runtime.Port>();

  /** `device` wakes at its first call, and is the same one after it. What is asked meanwhile waits for it. */
  constructor(self: Self, generation: Generation, device: () => Promise<Device>) {
    this.#self = self;
    this.#name = PORT_NAMES[generation];
    this.#device = device;
  }

  /** Whether the port is this wallet's. One that nobody of ours opened is closed. */
  connect(port: Runtime.Port): boolean {
    if (port.name !== this.#name) return false;
    if (!isOwnPage(port.sender, this.#self)) {
      port.disconnect();
      return true;
    }
    this.#ports.add(port);
    this.#tell((device) => device.pageOpened());
    port.onDisconnect.addListener(() => {
      this.#ports.delete(port);
      this.#tell((device) => device.pageClosed(port));
    });
    port.onMessage.addListener((message: unknown) => void this.#serve(port, message));
    return true;
  }

  push(event: PortEvent): void {
    for (const port of this.#ports) this.#post(port, { event });
  }

  /** Another device answers from here on: the pages that are open hear its state. */
  async restart(): Promise<void> {
    for (const _ of this.#ports) this.#tell((device) => device.pageOpened());
    if (this.#ports.size > 0) this.push({ kind: 'state', state: await (await this.#device()).state() });
  }

  async #serve(port: Runtime.Port, message: unknown): Promise<void> {
    let id: number;
    let method: string;
    let argument: unknown;
    try {
      ({ id, method, argument } = decodePortRequest(message as string));
    } catch {
      // No number to answer to. Our own pages do not send such things.
      port.disconnect();
      return;
    }
    try {
      const known = checkCall(method, argument);
      const device = await this.#device();
      this.#post(port, { id, result: await device.call(known, argument as never, port) });
    } catch (e) {
      this.#post(port, { id, error: portErrorOf(e) });
    }
  }

  /** In the order of the calls; a device that cannot wake says so to each request. */
  #tell(what: (device: Device) => void): void {
    this.#device()
      .then(what)
      .catch(() => {});
  }

  #post(port: Runtime.Port, reply: PortReply): void {
    if (!this.#ports.has(port)) return;
    try {
      port.postMessage(encodePort(reply));
    } catch {
      // The page has gone; its disconnect event is on its way.
    }
  }
}
