/** What a frame of RFC 6455 is for. */
export const opcode = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** Takes one whole frame: its payload stands in `bytes` from `start` to `end`, which hold only until it returns. */
export type OnFrame = (kind: number, bytes: Buffer, start: number, end: number) => void;

/**
 * Takes frames apart as they come from a server, however they are spread over chunks: nothing is copied but the rest of
 * a chunk that ends within a frame. Messages in several frames are not understood, and no server here sends them.
 */
export class FrameReader {
  #rest: Buffer | null = null;

  read(chunk: Buffer, onFrame: OnFrame): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = null;
    let at = 0;
    while (at < bytes.length) {
      const header = headerLength(bytes, at);
      const end = header === 0 ? Number.POSITIVE_INFINITY : at + header + payloadLength(bytes, at);
      if (end > bytes.length) {
        this.#rest = Buffer.from(bytes.subarray(at));
        return;
      }
      const first = bytes[at] ?? 0;
      if ((first & 0xf0) !== 0x80) throw new Error("a frame is not its message's only one, or uses an extension");
      onFrame(first & 0x0f, bytes, at + header, end);
      at = end;
    }
  }
}

/** 0 where the bytes end within it. */
function headerLength(bytes: Buffer, at: number): number {
  const short = (bytes[at + 1] ?? 0) & 0x7f;
  const length = short < 126 ? 2 : short === 126 ? 4 : 10;
  return at + length <= bytes.length ? length : 0;
}

function payloadLength(bytes: Buffer, at: number): number {
  const short = (bytes[at + 1] ?? 0) & 0x7f;
  if (short < 126) return short;
  return short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
}

/** A frame as a client sends it. The mask that it has to have is zero, which changes nothing. */
export function clientFrame(kind: number, payload: Buffer): Buffer {
  const { length } = payload;
  const header = Buffer.alloc((length < 126 ? 2 : 4) + 4);
  header[0] = 0x80 | kind;
  header[1] = 0x80 | Math.min(length, 126);
  if (length >= 126) header.writeUInt16BE(length, 2);
  return Buffer.concat([header, payload]);
}
