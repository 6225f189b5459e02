import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { type Column, rowReader } from '../../src/db/rowReader.ts';
import { RowSocket } from '../../src/db/rowSocket.ts';
import { createRandom, type Random } from '../support/random.ts';

const { BOOL, INT2, INT4, INT8, TEXT, TIMESTAMPTZ, UUID, JSONB } = pg.types.builtins;
const ofAnEnum = 99_999;
const parserOf = (oid: number) => (oid === INT8 ? BigInt : pg.types.getTypeParser(oid));

const texts = ['', 'plain', 'é', '💬 and more', 'NULL', '\u0080\u00ff', '"\\\n', 'x'.repeat(300), '名'.repeat(100)];

/** A value as PostgreSQL writes it in each of its formats; the binary one of texts is the text. */
interface Written {
  readonly text: string;
  readonly binary?: Buffer;
}

const bytesOf = (length: number, write: (buffer: Buffer) => void) => {
  const buffer = Buffer.alloc(length);
  write(buffer);
  return buffer;
};

function large(random: Random): bigint {
  const size = 2n ** BigInt(random.integer(64));
  const value = BigInt(random.integer(2 ** 52)) % size;
  return random.pick([value, -value, size - 1n, -size, 2n ** 63n - 1n, -(2n ** 63n)]);
}

const ids = ['0'.repeat(32), ...Array.from({ length: 10 }, () => crypto.randomUUID())];

const kinds: readonly { readonly oid: number; readonly give: (random: Random) => Written }[] = [
  { oid: TEXT, give: (random) => ({ text: random.pick(texts) }) },
  { oid: ofAnEnum, give: (random) => ({ text: random.pick(['MEMBER', 'GRÖẞE']) }) },
  { oid: JSONB, give: (random) => ({ text: JSON.stringify({ text: random.pick(texts) }) }) },
  {
    oid: INT8,
    give(random) {
      const value = large(random);
      return { text: String(value), binary: bytesOf(8, (buffer) => buffer.writeBigInt64BE(BigInt.asIntN(64, value))) };
    },
  },
  {
    oid: INT4,
    give(random) {
      const value = random.pick([0, 1, -1, 2 ** 31 - 1, -(2 ** 31), random.integer(2 ** 31)]);
      return { text: String(value), binary: bytesOf(4, (buffer) => buffer.writeInt32BE(value)) };
    },
  },
  {
    oid: INT2,
    give(random) {
      const value = random.integer(2 ** 16) - 2 ** 15;
      return { text: String(value), binary: bytesOf(2, (buffer) => buffer.writeInt16BE(value)) };
    },
  },
  {
    oid: BOOL,
    give(random) {
      const is = random.integer(2) === 1;
      return { text: is ? 't' : 'f', binary: Buffer.from([is ? 1 : 0]) };
    },
  },
  {
    oid: UUID,
    give(random) {
      // Some come again, and some differ from another in one byte only.
      const id = random.pick([crypto.randomUUID(), random.pick(ids), random.pick(ids)]);
      const binary = Buffer.from(id.replaceAll('-', ''), 'hex');
      if (random.integer(2) === 0) binary[random.integer(16)] = random.integer(256);
      const text = binary.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
      return { text, binary };
    },
  },
  {
    oid: TIMESTAMPTZ,
    give(random) {
      const at = Date.UTC(1900) + random.integer(2 ** 43);
      const sinceThen = BigInt(at - Date.UTC(2000)) * 1_000n + BigInt(random.integer(1_000));
      return {
        text: new Date(at).toISOString().replace('T', ' ').replace('Z', '+00'),
        binary: bytesOf(8, (buffer) => buffer.writeBigInt64BE(sinceThen)),
      };
    },
  },
];

/** What stands in a message with a row, after its header. */
function columnsOf(cells: readonly (Written | null)[], formats: readonly number[]): Buffer {
  const number = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const parts = cells.flatMap((cell, index) => {
    if (cell === null) return [number(-1, 4)];
    const bytes = formats[index] === 1 && cell.binary ? cell.binary : Buffer.from(cell.text);
    return [number(bytes.length, 4), bytes];
  });
  return Buffer.concat([number(cells.length, 2), ...parts]);
}

function message(kind: string, content: Buffer): Buffer {
  const header = Buffer.from(`${kind}0000`);
  header.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([header, content]);
}

describe('C4: rows', () => {
  test('are read from bytes as from cells', () => {
    const random = createRandom('rows');
    for (let turn = 0; turn < 300; turn++) {
      const chosen = Array.from({ length: random.integer(8) }, () => random.pick(kinds));
      const columns: Column[] = chosen.map(({ oid }, index) => ({
        name: random.pick([`column${index}`, `"odd\\ ${index}`, `__proto__${index || ''}`]),
        dataTypeID: oid,
      }));
      const reader = rowReader(columns, parserOf);
      for (let row = 0; row < 5; row++) {
        const cells = chosen.map(({ give }) => (random.integer(4) === 0 ? null : give(random)));
        const around = Buffer.from('é'.repeat(random.integer(5)));
        const bytes = columnsOf(cells, reader.formats);
        const buffer = Buffer.concat([around, bytes, around]);
        const read = reader.ofBytes(buffer, around.length, around.length + bytes.length);
        const ofText = reader.ofCells(cells.map((cell) => cell?.text ?? null));
        expect(Object.entries(read)).toEqual(Object.entries(ofText));
        expect(Object.keys(read)).toEqual(Object.keys(Object.fromEntries(columns.map(({ name }) => [name, null]))));
      }
    }
  });

  test('leave the stream for who takes them, with what stands around them, however it is cut; all else comes as it was sent', () => {
    const random = createRandom('streams of rows');
    for (let turn = 0; turn < 300; turn++) {
      const kindsSent = Array.from({ length: 1 + random.integer(12) }, () => random.pick([...'DDDCZ2N1E']));
      const messages = kindsSent.map((kind) => message(kind, Buffer.alloc(random.pick([0, 2, 40, 3_000]), 'é')));
      const socket = new RowSocket();
      /** What was seen, in that order. */
      let seen = '';
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1');
      });
      socket.begin();
      const takes = random.integer(4) > 0;
      if (takes) {
        socket.taker = {
          takeRow(buffer, start, end) {
            seen += `<${buffer.toString('latin1', start, end)}>`;
          },
          completed() {
            seen += '<completed>';
          },
        };
      }
      const stream = Buffer.concat(messages);
      // All of it comes in the same place, as from the system.
      const lent = Buffer.alloc(5_000);
      for (let at = 0; at < stream.length; ) {
        const length = stream.copy(lent, 0, at, at + 1 + random.integer(random.pick([3, 50, 5_000])));
        socket.receive(lent.subarray(0, length));
        at += length;
      }
      const taken: Record<string, (each: Buffer) => string> = {
        D: (each) => `<${each.toString('latin1', 5)}>`,
        C: () => '<completed>',
        2: () => '',
      };
      const expected = messages.map((each, index) => {
        const take = takes ? taken[kindsSent[index] ?? ''] : undefined;
        return take ? take(each) : each.toString('latin1');
      });
      expect(seen).toBe(expected.join(''));
    }
  });

  test('pass until the beginning of a message is known, as with the one byte before TLS', () => {
    const socket = new RowSocket();
    const passed: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => passed.push(chunk));
    socket.taker = { takeRow: () => expect.unreachable(), completed: () => expect.unreachable() };
    const lent = Buffer.from('S');
    socket.receive(lent);
    lent.fill('?');
    socket.receive(message('D', Buffer.from('row')));
    expect(passed.map(String)).toEqual(['S', message('D', Buffer.from('row')).toString()]);
  });
});
