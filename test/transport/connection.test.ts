import { expect, test } from 'vitest';
import { Connection, type ConnectionHost } from '../../src/transport/connection.ts';
import { FrameWriter } from '../../src/transport/frameWriter.ts';
import { createGatherer } from '../../src/transport/gatherer.ts';
import { createHeartbeat } from '../../src/transport/heartbeat.ts';
import { openServerSocket } from '../support/serverSocket.ts';
import { waitFor } from '../support/waiting.ts';

test('R3 a socket whose client has gone without taking what is left for it ends with the heartbeat', async () => {
  const { socket, network, client } = await openServerSocket();
  const frames = new FrameWriter(socket, network, createGatherer(), 64_000_000);
  const gone: Connection[] = [];
  const heartbeat = createHeartbeat(40);
  const host: ConnectionHost = {
    heartbeat,
    initTimeout: 60_000,
    connect: async () => true,
    perform: async () => undefined,
    disconnected: (connection) => void gone.push(connection),
    failed: () => undefined,
  };
  const connection = new Connection(host, socket, frames, { requestId: 'r', address: null, userAgent: null });
  socket.on('close', () => connection.closed());
  client.pause();
  frames.write('1', 'x'.repeat(30_000_000), { resume: () => undefined });
  // It says that it will send nothing more, and does not read on.
  client.end();
  await waitFor('its end', () => gone.length > 0);
  expect(gone).toEqual([connection]);
  heartbeat.stop();
});
