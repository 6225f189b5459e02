import { EventEmitter } from 'node:events';
import type { Bus } from './bus.ts';

/** The bus of a single process. */
export function createLocalBus(): Bus {
  const emitter = new EventEmitter();
  emitter.setMaxListeners(0);
  return {
    // Deferred, as over a network: no subscriber runs inside the publisher's call.
    publish: (channel, payload) => queueMicrotask(() => emitter.emit(channel, payload)),
    async subscribe(channel, onPayload) {
      emitter.on(channel, onPayload);
      return () => emitter.off(channel, onPayload);
    },
    onReconnect: () => undefined,
    ping: async () => undefined,
    close: async () => {
      emitter.removeAllListeners();
    },
  };
}
