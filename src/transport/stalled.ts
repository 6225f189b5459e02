import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Milliseconds in which a client takes nothing of what is written for it before it is given up. */
const patience = 60_000;

/**
 * Ends connections over which an answer, or a stream of events, cannot be written because nobody reads it: what waits for
 * them is bounded, but their sockets would stay for as long as the other side likes. It takes up to twice the time. A
 * stream with nothing to say is not concerned, nor is a client that reads slowly.
 * @param within for tests.
 */
export function endStalled(server: Server, within = patience): Server {
  return server.prependListener('request', (request, response: ServerResponse) => {
    // Of a socket, without anything read or written. One that waits for a request has timeouts of its own; for all of them
    // (`server.timeout`), WebSockets would have it too, and Node would look at it with each message that goes out.
    request.socket.setTimeout(within);
    // Who listens decides; without a listener Node would end every connection on which nothing happens.
    response.on('timeout', (socket: Socket) => {
      if (socket.writableLength > 0) socket.destroy();
    });
  });
}
