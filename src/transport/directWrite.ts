import { Socket } from 'node:net';
import { z } from 'zod';

/**
 * Writes to a network socket past its stream: what the operating system takes at once needs no stream, whose bookkeeping
 * for each write (an object for the request, a callback, a second pass) costs a sixth of a delivery. The parts of Node.js
 * that this takes are private, so they are looked for, and without them, as with everything that is not the plain case
 * (TLS, bytes that wait already, an error), the stream is written to. Proved equal to it in frames.test.ts.
 */

/**
 * What a socket's stream writes to. It is handed over beside its socket: an object around the two would be one more for each
 * socket that a write has to fetch. Each call returns the number of an error, or 0.
 */
export interface Handle {
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  writeLatin1String(request: WriteRequest, text: string): number;
}

/** One write that the system did not take at once. One that it took leaves no trace here, and may be used again. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Kept from being collected as long as it is read from. */
  bytes?: Buffer;
}

const internals = z.object({
  WriteWrap: z.custom<new () => WriteRequest>((value) => typeof value === 'function'),
  /** Facts about the last write; the place of the one of interest. */
  streamBaseState: z.instanceof(Int32Array),
  kLastWriteWasAsync: z.number(),
});

function findInternals(): z.infer<typeof internals> | null {
  const binding: unknown = Reflect.get(process, 'binding');
  // Where deprecations are errors, this would be one: later, where nobody can catch it.
  if (typeof binding !== 'function' || process.throwDeprecation) return null;
  try {
    return internals.parse(binding.call(process, 'stream_wrap'));
  } catch {
    return null;
  }
}

const found = findInternals();
let request = found && new found.WriteWrap();

/** Sockets of which the system has yet to take a direct write: what is written now has to wait behind it, and be counted. */
const behind = new Set<Socket>();

/** @returns what may be written to directly; null where only the stream may be. */
export function handleOf(network: Socket): Handle | null {
  if (!found || Object.getPrototypeOf(network) !== Socket.prototype) return null;
  const handle: unknown = Reflect.get(network, '_handle');
  return isHandle(handle) ? handle : null;
}

function isHandle(value: unknown): value is Handle {
  if (typeof value !== 'object' || value === null) return false;
  return ['writeBuffer', 'writeLatin1String'].every((name) => typeof Reflect.get(value, name) === 'function');
}

/** @returns whether the system has taken all: otherwise the bytes have to stay as they are. */
export function writeBytes(network: Socket, handle: Handle | null, bytes: Buffer): boolean {
  if (handle && request && isFree(network) && handle.writeBuffer(request, bytes) === 0) return wasTaken(network, bytes);
  network.write(bytes);
  return network.writableLength === 0;
}

/** @param text with one character for each byte. */
export function writeText(network: Socket, handle: Handle | null, text: string): void {
  if (handle && request && isFree(network) && handle.writeLatin1String(request, text) === 0) wasTaken(network);
  else network.write(text, 'latin1');
}

function isFree(network: Socket): boolean {
  return network.writableLength === 0 && (behind.size === 0 || !behind.has(network));
}

function wasTaken(network: Socket, bytes?: Buffer): boolean {
  if (!found || !request || found.streamBaseState[found.kLastWriteWasAsync] === 0) return true;
  if (bytes) request.bytes = bytes;
  request.oncomplete = (status) => {
    behind.delete(network);
    if (status < 0) network.destroy();
  };
  behind.add(network);
  request = new found.WriteWrap();
  return false;
}
