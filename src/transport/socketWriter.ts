import type { WebSocket } from 'ws';
import { endingWith } from '../events/iterators.ts';
import type { SharedResult } from '../graphql/sharedExecution.ts';

/**
 * Writes an operation's results to its socket as graphql-ws messages, from JSON that was made once for all. A socket
 * that does not take what was written makes its operations wait: their queues fill up, and end with a resync.
 * @returns an iterator without values, which is done when the results are.
 */
export function writeTo(
  socket: WebSocket,
  operationId: string,
  results: AsyncIterableIterator<SharedResult>,
  options: { readonly bufferBytes: number; readonly onTooSlow: () => void },
): AsyncIterableIterator<never> {
  const head = `{"id":${JSON.stringify(operationId)},"type":"next","payload":`;
  async function* written(): AsyncGenerator<never, void> {
    for await (const { json, tooSlow } of results) {
      if (socket.readyState !== socket.OPEN) return;
      const frame = `${head}${json}}`;
      if (socket.bufferedAmount < options.bufferBytes) socket.send(frame);
      else await new Promise((resolve) => socket.send(frame, resolve));
      if (tooSlow) options.onTooSlow();
    }
  }
  return endingWith(written(), () => void results.return?.());
}
