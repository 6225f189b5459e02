import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { type Column, rowReader } from '../../src/db/rowReader.ts';
import { RowSocket } from '../../src/db/rowSocket.ts';
import { createRandom, type Random } from '../support/random.ts';

const { BOOL, INT4, INT8, TEXT, UUID, JSONB } = pg.types.builtins;
const ofAnEnum = 99_999;
const parserOf = (oid: number) => (oid === INT8 ? BigInt : pg.types.getTypeParser(oid));

const texts = ['', 'plain', 'é', '💬 and more', 'NULL', '\u0080\u00ff', '"\\\n', 'x'.repeat(300), '名'.repeat(100)];
const kinds: readonly { readonly oid: number; readonly give: (random: Random) => string }[] = [
  { oid: TEXT, give: (random) => random.pick(texts) },
  { oid: ofAnEnum, give: (random) => random.pick(['MEMBER', 'GRÖẞE']) },
  { oid: INT8, give: (random) => String(random.integer(2 ** 52)) },
  { oid: INT4, give: (random) => String(random.integer(100) - 50) },
  { oid: BOOL, give: (random) => random.pick(['t', 'f']) },
  { oid: UUID, give: () => crypto.randomUUID() },
  { oid: JSONB, give: (random) => JSON.stringify({ text: random.pick(texts) }) },
];

type Cells = readonly (string | null)[];

/** What stands in a message with a row, after its header. */
function columnsOf(cells: Cells): Buffer {
  const number = (value: number, bytes: 2 | 4) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const parts = cells.flatMap((cell) =>
    cell === null ? [number(-1, 4)] : [number(Buffer.byteLength(cell), 4), Buffer.from(cell)],
  );
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
        const bytes = columnsOf(cells);
        const buffer = Buffer.concat([around, bytes, around]);
        const read = reader.ofBytes(buffer, around.length, around.length + bytes.length);
        expect(Object.entries(read)).toEqual(Object.entries(reader.ofCells(cells)));
        expect(Object.keys(read)).toEqual(Object.keys(Object.fromEntries(columns.map(({ name }) => [name, null]))));
      }
    }
  });

  test('leave the stream for who takes them, however it is cut, and everything else comes as it was sent', () => {
    const random = createRandom('streams of rows');
    for (let turn = 0; turn < 300; turn++) {
      const messages = Array.from({ length: 1 + random.integer(12) }, () =>
        message(random.pick(['D', 'D', 'C', 'Z', '2', 'N']), Buffer.alloc(random.pick([0, 2, 40, 3_000]), 'é')),
      );
      const socket = new RowSocket();
      const passed: Buffer[] = [];
      const taken: Buffer[] = [];
      /** In the order in which they were seen. */
      const seen: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => {
        const kept = Buffer.from(chunk);
        passed.push(kept);
        seen.push(kept);
      });
      socket.begin();
      const takes = random.integer(4) > 0;
      if (takes) {
        socket.takeRow = (buffer, start, end) => {
          const row = Buffer.from(buffer.subarray(start - 5, end));
          taken.push(row);
          seen.push(row);
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
      const rows = takes ? messages.filter((each) => each[0] === 0x44) : [];
      expect(Buffer.concat(seen).equals(stream)).toBe(true);
      expect(taken.map((row) => row.toString('latin1'))).toEqual(rows.map((row) => row.toString('latin1')));
      expect(passed.reduce((sum, each) => sum + each.length, 0)).toBe(
        stream.length - rows.reduce((sum, each) => sum + each.length, 0),
      );
    }
  });

  test('pass until the beginning of a message is known, as with the one byte before TLS', () => {
    const socket = new RowSocket();
    const passed: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => passed.push(chunk));
    socket.takeRow = () => expect.unreachable();
    const lent = Buffer.from('S');
    socket.receive(lent);
    lent.fill('?');
    socket.receive(message('D', Buffer.from('row')));
    expect(passed.map(String)).toEqual(['S', message('D', Buffer.from('row')).toString()]);
  });
});
