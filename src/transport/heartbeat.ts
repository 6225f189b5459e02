/** What has to show from time to time that it is alive. */
export interface Living {
  /** Asks it, along with whatever goes to it before `insist`. A second time without an answer to the first: it is dead. */
  beat(): void;
  /** Asks it by itself, unless it has been asked since `beat`. */
  insist(): void;
}

/** Pings of many sockets are spread over the interval instead of holding up everybody: 160 of 10,000 are 2 milliseconds. */
const spreadOver = 64;
/** How long a ping may wait for a message to go along with: a quarter of the interval, so that most of it is left to answer. */
const patience = spreadOver / 4;

/** Asks each of its members once in every interval (milliseconds), by one timer for all of them. */
export function createHeartbeat(every: number) {
  const slots = Array.from({ length: spreadOver }, () => new Set<Living>());
  let joined = 0;
  let turn = 0;
  const timer = setInterval(
    () => {
      turn = (turn + 1) % spreadOver;
      for (const member of slots[turn] ?? []) member.beat();
      for (const member of slots[(turn + spreadOver - patience) % spreadOver] ?? []) member.insist();
    },
    Math.max(every / spreadOver, 1),
  );
  timer.unref();

  return {
    /** @returns its place, by which it leaves. */
    join(member: Living): number {
      const place = joined++ % spreadOver;
      slots[place]?.add(member);
      return place;
    },
    leave(member: Living, place: number): void {
      slots[place]?.delete(member);
    },
    stop: () => clearInterval(timer),
  };
}

export type Heartbeat = ReturnType<typeof createHeartbeat>;
