/**
 * Carries hints between processes. It may lose them (a connection that breaks): what must not be lost is in the room's
 * log, and live delivery finds it there.
 */
export interface Bus {
  /** Sends without waiting; a bus that is away drops it. */
  publish(channel: string, payload: string): void;
  /**
   * Resolves when the subscription stands: what is published from then on arrives, in order, unless the connection
   * breaks. While the bus is away it resolves soon all the same: `onReconnect` follows when the subscription stands.
   */
  subscribe(channel: string, onPayload: (payload: string) => void): Promise<() => void>;
  /** Calls back whenever hints may have been lost: after each new connection that follows a broken or failed one. */
  onReconnect(callback: () => void): void;
  /** @throws when the bus does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
