/**
 * Loaded into a cosigner by the load run: notes when each frame was handed to the kernel. Whoever asked noted on the same clock when
 * the request was handed to it, so the time between is the server's alone: the wait for its loop is in it, and that of a busy asker
 * is not.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';

/** Milliseconds of the machine's steady clock, the same in every process. */
export const steadyNow = () => Number(process.hrtime.bigint()) / 1e6;
/** How a connection is called on both sides: the asker's end. */
export const endName = (address: string | undefined, port: number | undefined) => `${address}:${port}`;

/** The TCP socket under a WebSocket, which `ws` keeps to itself. */
export const socketUnder = (ws: WebSocket) => (ws as unknown as { _socket: Socket })._socket;

if (process.send !== undefined) {
  let frames: [end: string, at: number][] = [];
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (this: WebSocket, ...args: unknown[]) {
    const { remoteAddress, remotePort } = socketUnder(this);
    Reflect.apply(send, this, args);
    frames.push([endName(remoteAddress, remotePort), steadyNow()]);
  };
  process.on('message', () => {
    process.send!(frames);
    frames = [];
  });
  process.channel?.unref();
}
