import { Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { handleOf } from '../../src/transport/directWrite.ts';
import { bytesOf } from '../../src/transport/frames.ts';
import { FrameWriter } from '../../src/transport/frameWriter.ts';
import { createGatherer } from '../../src/transport/gatherer.ts';
import { openServerSocket } from '../support/serverSocket.ts';
import { waitFor } from '../support/waiting.ts';

const gatherer = createGatherer();

/** A socket that is not known to be the plain one: as with TLS, all goes through its stream. */
class OtherSocket extends Socket {}

/** @param direct whether it may be written to past its stream. */
async function openSocket(direct: boolean, limit = 1_000_000) {
  const opened = await openServerSocket();
  const { socket, network } = opened;
  if (!direct) Object.setPrototypeOf(network, OtherSocket.prototype);
  expect(handleOf(network) !== null).toBe(direct);
  return { ...opened, writer: new FrameWriter(socket, network, gatherer, limit) };
}

/** What a client gets for a payload. */
const next = (id: string, payload: string) => `{"id":"${id}","type":"next","payload":${payload}}`;
/** How long that is without the payload. */
const around = next('1', '').length;

const nobody = { resume: () => undefined };

/** Before any timer. */
const endOfTurn = () => new Promise<void>((resolve) => process.nextTick(resolve));

/** Text messages in the order in which they stand in these bytes; control frames by their opcode. */
function messagesIn(bytes: Buffer): (string | number)[] {
  const messages: (string | number)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const opcode = (bytes[at] ?? 0) & 0x0f;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = at + 2 + extended;
    const length =
      short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    messages.push(opcode === 1 ? bytes.subarray(start, start + length).toString() : opcode);
    at = start + length;
  }
  return messages;
}

describe.each([
  ['past the stream', true],
  ['through the stream', false],
])('R2 frames of shared results, written %s,', (_way, direct) => {
  const open = (limit?: number) => openSocket(direct, limit);

  test.each([
    ['the shortest', ''],
    ['of 125 bytes', 'a'.repeat(125 - around)],
    ['of 126 bytes', 'a'.repeat(126 - around)],
    ['of 127 bytes', 'a'.repeat(127 - around)],
    ['of 16,380 bytes', 'a'.repeat(16_380 - around)],
    ['of 16,381 bytes', 'a'.repeat(16_381 - around)],
    ['of 65,535 bytes', 'a'.repeat(65_535 - around)],
    ['of 65,536 bytes', 'a'.repeat(65_536 - around)],
    ['of a megabyte', 'a'.repeat(1_000_000)],
    ['in an alphabet of two bytes', 'ä'.repeat(61)],
    ['in a script of three bytes', '漢'.repeat(21_844)],
    ['with what is no character alone', '👍🏽\u{1F469}\u200D\u{1F469}\u0000 "\\ \uD800'],
  ])('%s are those that ws would send', async (_what, text) => {
    const [theirs, ours] = [await open(), await open()];
    theirs.socket.send(next('1', text));
    ours.writer.write('1', bytesOf(text), nobody);
    const expected = await theirs.until(Buffer.byteLength(text) + around + 2);
    await waitFor('as many bytes', () => theirs.body().length === expected.length && ours.body().length > 0);
    expect(Buffer.compare(await ours.until(theirs.body().length), theirs.body())).toBe(0);
  });

  test('and pings are those that ws would send', async () => {
    const [theirs, ours] = [await open(), await open()];
    theirs.socket.ping();
    ours.writer.ping();
    ours.writer.pingAlone();
    expect(Buffer.compare(await ours.until(2), await theirs.until(2))).toBe(0);
  });

  test.each([
    ['a message that comes alone', ['1']],
    ['several of one turn', ['1', '2']],
  ])('and a ping goes along with %s, in the same write, once', async (_what, payloads) => {
    const { network, writer, body } = await open();
    const handle = handleOf(network);
    const written = handle ? vi.spyOn(handle, 'writeLatin1String') : vi.spyOn(network, 'write');
    writer.ping();
    await endOfTurn();
    expect(body()).toHaveLength(0);
    for (const payload of payloads) writer.write('1', payload, nobody);
    await endOfTurn();
    expect(written).toHaveBeenCalledOnce();
    writer.pingAlone();
    writer.flush();
    writer.write('1', '"later"', nobody);
    writer.flush();
    await waitFor('all', () => messagesIn(body()).length >= payloads.length + 2);
    expect(messagesIn(body())).toEqual([...payloads.map((each) => next('1', each)), 9, next('1', '"later"')]);
  });

  test('and no ping follows the close', async () => {
    const { socket, writer, body } = await open();
    writer.ping();
    socket.close(1001);
    writer.pingAlone();
    writer.ping();
    writer.write('1', '1', nobody);
    writer.flush();
    await waitFor('the close', () => body().length > 0);
    expect(messagesIn(body())).toEqual([8]);
  });

  test('carry the id of each socket, also where the same result goes to ids of other lengths', async () => {
    const sockets = await Promise.all(Array.from({ length: 6 }, () => open()));
    const ids = ['1', '2', 'drei und zwanzig', '1', '\\"4\\"', 'ö'];
    for (const payload of ['{"a":1}', '{"b":"ä"}']) {
      for (const [index, { writer }] of sockets.entries()) {
        writer.writtenIn = -1;
        writer.write(bytesOf(ids[index] ?? ''), bytesOf(payload), nobody);
      }
      await endOfTurn();
    }
    for (const [index, { body }] of sockets.entries()) {
      await waitFor('both', () => messagesIn(body()).length === 2);
      expect(messagesIn(body())).toEqual(['{"a":1}', '{"b":"ä"}'].map((each) => next(ids[index] ?? '', each)));
    }
  });

  test('R5 of a socket that does not read stay as they were written, whoever gets the same result afterwards', async () => {
    const [slow, ...others] = await Promise.all(Array.from({ length: 4 }, () => open(64_000_000)));
    if (!slow) throw new Error('no socket');
    slow.client.pause();
    const count = 700;
    // Of a length that is written from one place for all: longer ones have their own anyway.
    const payload = (index: number) => `"${index} ${'x'.repeat(12_000)}"`;
    for (let index = 0; index < count; index++) {
      slow.writer.writtenIn = -1;
      slow.writer.write('slow', payload(index), nobody);
      for (const [at, { writer }] of others.entries()) {
        writer.writtenIn = -1;
        writer.write(`no ${at}`, payload(index), nobody);
      }
      // All are due, each alone, and written from one place.
      await endOfTurn();
    }
    expect(slow.network.writableLength, 'the system has taken it all').toBeGreaterThan(0);
    slow.client.resume();
    for (const [at, { until }] of [slow, ...others].entries()) {
      const id = at === 0 ? 'slow' : `no ${at - 1}`;
      const expected = Array.from({ length: count }, (_, index) => next(id, payload(index)));
      const length = expected.reduce((sum, text) => sum + text.length + 4, 0);
      expect(messagesIn(await until(length)), id).toEqual(expected);
    }
  });

  test('stay in order with answers, pings and the close, which nothing follows', async () => {
    const { socket, writer, body } = await open();
    const expected: (string | number)[] = [];
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < round % 4; index++) {
        writer.write('1', `"${round} ${index}"`, nobody);
        expected.push(next('1', `"${round} ${index}"`));
      }
      writer.flush();
      if (round % 3 === 0) {
        writer.ping();
        writer.pingAlone();
        expected.push(9);
      } else {
        socket.send(`answer ${round}`);
        expected.push(`answer ${round}`);
      }
    }
    writer.write('1', '"before the close"', nobody);
    writer.flush();
    socket.close(1001);
    writer.write('1', '"after the close"', nobody);
    writer.flush();
    expected.push(next('1', '"before the close"'), 8);
    await waitFor('all', () => messagesIn(body()).length >= expected.length);
    expect(messagesIn(body())).toEqual(expected);
  });

  test('of one turn are one write when it ends, in their order', async () => {
    const { network, writer, body } = await open();
    const handle = handleOf(network);
    const written = handle ? vi.spyOn(handle, 'writeLatin1String') : vi.spyOn(network, 'write');
    const expected = Array.from({ length: 100 }, (_, index) => `${index}`);
    for (const payload of expected) writer.write('1', payload, nobody);
    expect(written).not.toHaveBeenCalled();
    await endOfTurn();
    expect(written).toHaveBeenCalledOnce();
    await waitFor('all', () => messagesIn(body()).length === expected.length);
    expect(messagesIn(body())).toEqual(expected.map((each) => next('1', each)));
  });

  test('to many sockets are written 64 at a time, and to each what comes in the same turn afterwards', async () => {
    const sockets = await Promise.all(Array.from({ length: 70 }, () => open()));
    const before = sockets.map(({ network }) => network.bytesWritten);
    const writeTo = (payload: string) => {
      for (const [index, { writer }] of sockets.entries()) writer.write(`${index}`, payload, nobody);
    };
    const writtenTo = () => sockets.filter(({ network }, index) => network.bytesWritten > (before[index] ?? 0)).length;
    writeTo('"one"');
    expect(writtenTo()).toBe(64);
    writeTo('"two"');
    await endOfTurn();
    expect(writtenTo()).toBe(70);
    for (const [index, { body }] of sockets.entries()) {
      await waitFor('both', () => messagesIn(body()).length === 2);
      expect(messagesIn(body())).toEqual([next(`${index}`, '"one"'), next(`${index}`, '"two"')]);
    }
  });

  test('of one turn stay in their order where one of them is too large to wait', async () => {
    const { writer, until } = await open();
    const payloads = ['"small"', `"${'x'.repeat(20_000)}"`, '"after it"', '"and that"'];
    for (const payload of payloads) writer.write('1', payload, nobody);
    const expected = payloads.map((each) => next('1', each));
    const bytes = await until(expected.reduce((sum, each) => sum + each.length + (each.length < 126 ? 2 : 4), 0));
    expect(messagesIn(bytes)).toEqual(expected);
  });

  test('of a busy socket are gathered over turns, in their order, and none stays behind', async () => {
    const { writer, body } = await open();
    const expected: string[] = [];
    for (let index = 0; index < 100; index++) {
      writer.write('1', `${index}`, nobody);
      expected.push(next('1', `${index}`));
      if (index % 3 === 0) await new Promise(setImmediate);
    }
    await waitFor('all', () => messagesIn(body()).length === expected.length);
    expect(messagesIn(body())).toEqual(expected);
  });

  test('that follow each other slower than they are gathered for are gathered too, and one that comes alone is not', async () => {
    const { network, writer } = await open();
    const writes = async (name: string) => {
      const before = network.bytesWritten;
      writer.write('1', `"${name}"`, nobody);
      await endOfTurn();
      return network.bytesWritten > before;
    };
    const now = vi.spyOn(performance, 'now');
    try {
      now.mockReturnValue(1_000);
      expect(await writes('first')).toBe(true);
      expect(await writes('second')).toBe(false);
      writer.flush();
      // As late as it is when the thousands of other sockets of the room have been written to.
      now.mockReturnValue(1_200);
      await new Promise(setImmediate);
      now.mockReturnValue(1_240);
      expect(await writes('third')).toBe(false);
      writer.flush();
      await new Promise(setImmediate);
      now.mockReturnValue(1_300);
      expect(await writes('one that comes alone')).toBe(true);
    } finally {
      now.mockRestore();
    }
  });

  test('that come alone are not kept back for a socket that was busy and has gone', async () => {
    const [busy, other] = [await open(), await open()];
    const now = vi.spyOn(performance, 'now');
    try {
      now.mockReturnValue(1_000);
      busy.writer.write('1', '"first"', nobody);
      other.writer.write('1', '"first"', nobody);
      await endOfTurn();
      now.mockReturnValue(1_010);
      busy.writer.write('1', '"gathered"', nobody);
      busy.socket.terminate();
      await waitFor('the end', () => busy.socket.readyState === busy.socket.CLOSED);
      now.mockReturnValue(2_000);
      const before = other.network.bytesWritten;
      other.writer.write('1', '"alone"', nobody);
      await endOfTurn();
      expect(other.network.bytesWritten).toBeGreaterThan(before);
    } finally {
      now.mockRestore();
    }
  });

  test('that a socket does not take make who wrote them wait, and it is told when they are taken', async () => {
    const { client, writer, body } = await open(1_024);
    client.pause();
    let resumed = 0;
    const waiting = { resume: () => resumed++ };
    const text = 'x'.repeat(100_000);
    let count = 1;
    while (count < 1_000 && writer.write('1', text, waiting)) count++;
    expect(count).toBeGreaterThan(1);
    expect(resumed).toBe(0);
    client.resume();
    await waitFor('the resumption', () => resumed === 1);
    await waitFor('all', () => body().length === count * (100_000 + around + 10));
  });

  test('are counted, however large one of them is', async () => {
    const { client, writer } = await open(1_000_000);
    client.pause();
    writer.write('1', 'x'.repeat(30_000_000), nobody);
    expect(writer.whenTaken(() => undefined)).toBe(true);
    expect(writer.write('1', '"more"', nobody)).toBe(false);
  });

  test('are dropped for a socket that is closed', async () => {
    const { socket, writer, body } = await open();
    writer.write('1', '"due when it is closed"', nobody);
    socket.terminate();
    expect(writer.write('1', '"late"', nobody)).toBe(true);
    await endOfTurn();
    writer.flush();
    await waitFor('the end', () => socket.readyState === socket.CLOSED);
    expect(body()).toHaveLength(0);
  });

  test('that are due when the socket begins to close do not follow its last frame', async () => {
    const { socket, writer, body } = await open();
    writer.write('1', '"due"', nobody);
    socket.close(1001);
    await endOfTurn();
    await waitFor('the close', () => body().length > 0);
    expect(messagesIn(body())).toEqual([8]);
  });

  test('that wait in the system stay before whatever is written next, by ws or here', async () => {
    const { socket, client, network, writer, until } = await open();
    client.pause();
    const expected: (string | number)[] = [];
    const payload = `"${'x'.repeat(12_000)}"`;
    const write = (id: string) => {
      writer.writtenIn = -1;
      writer.write(id, payload, nobody);
      writer.flush();
      expected.push(next(id, payload));
    };
    while (network.writableLength === 0 && expected.length < 2_000) write(String(expected.length));
    socket.send('an answer');
    writer.ping();
    writer.pingAlone();
    expected.push('an answer', 9);
    write('after');
    client.resume();
    const lengthOf = (each: string | number) =>
      typeof each === 'number' ? 2 : each.length + (each.length < 126 ? 2 : 4);
    const bytes = await until(expected.reduce<number>((sum, each) => sum + lengthOf(each), 0));
    expect(messagesIn(bytes)).toEqual(expected);

    const streamed = vi.spyOn(network, 'write');
    write('when all has been taken');
    expect(streamed).toHaveBeenCalledTimes(direct ? 0 : 1);
  });

  test('come after all that ws has yet to write', async () => {
    const { socket, client, writer, body } = await open(64_000_000);
    client.pause();
    const large = 'x'.repeat(8_000_000);
    socket.send(large);
    socket.send('an answer');
    writer.write('1', '"an event"', nobody);
    client.resume();
    await waitFor('all', () => body().length > large.length + 50);
    expect(messagesIn(body())).toEqual([large, 'an answer', next('1', '"an event"')]);
  });

  test('for a client that is gone end its socket, and what waited is given up', async () => {
    const { socket, client, writer } = await open();
    client.pause();
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    for (let index = 0; index < 700; index++) {
      writer.writtenIn = -1;
      writer.write('1', `"${'x'.repeat(12_000)}"`, nobody);
    }
    client.resetAndDestroy();
    expect(await closed).toBe(1006);
    expect(writer.write('1', '"late"', nobody)).toBe(true);
  });
});
