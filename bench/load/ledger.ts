/** How the number of a message stands in its text, in seven digits: `"#0000012 and so on"`. */
export function numbered(number: number): string {
  return `#${String(number).padStart(7, '0')}`;
}

const mark = Buffer.from('"#');
const digits = 7;
/** Where it stood in the last message: most often it stands there again. */
let lastAt = 0;

/** The number in a message whose bytes stand from `start` to `end`; -1 where there is none. */
export function numberIn(bytes: Buffer, start: number, end: number): number {
  let at = start + lastAt;
  if (bytes[at] !== mark[0] || bytes[at + 1] !== mark[1]) {
    at = bytes.subarray(start, end).indexOf(mark) + start;
    if (at < start) return -1;
    lastAt = at - start;
  }
  let number = 0;
  for (let index = at + 2; index < at + 2 + digits; index++) number = number * 10 + (bytes[index] ?? 0) - 0x30;
  return number;
}

/** Where a listener stands in its room: at which place of the order is what came last; -1 before the first. */
export interface Place {
  last: number;
}

/** What the listeners of a room have got: each message once, and all in the same order. */
export class Ledger {
  /** The messages sent into the room. */
  sent = 0;
  listeners = 0;
  #settling = false;
  #order: number[] = [];
  readonly #counts = new Map<number, number>();
  readonly #waiting = new Map<number, () => void>();

  /** Until it is settled, listeners may miss what is sent: they are still on their way in. */
  settling(): void {
    this.#settling = true;
  }

  /** From here on every listener gets everything. Their places have to be as before the first. */
  settled(): void {
    this.#settling = false;
    this.#order = [];
    this.#counts.clear();
  }

  /** @throws where the message is not the one that had to come. */
  receive(place: Place, number: number): void {
    if (!this.#settling) {
      const expected = this.#order[++place.last];
      if (expected === undefined && !this.#counts.has(number)) this.#order.push(number);
      else if (expected !== number) {
        throw new Error(`message ${number} came where ${expected ?? 'one that is new'} had to come`);
      }
    }
    const count = (this.#counts.get(number) ?? 0) + 1;
    this.#counts.set(number, count);
    if (count === this.listeners) this.#waiting.get(number)?.();
  }

  /** Resolves when all listeners have got the message. To be called before it is sent. */
  delivered(number: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(number, () => {
        this.#waiting.delete(number);
        resolve();
      });
    });
  }

  hasDelivered(number: number): boolean {
    return this.#counts.get(number) === this.listeners;
  }

  /** The numbers of the messages, in the order in which they came. */
  get order(): readonly number[] {
    return this.#order;
  }

  /** What is waited for, for the message of a failure. */
  get missing(): string {
    const numbers = [...this.#waiting.keys()];
    return numbers
      .map((number) => `message ${number}: ${this.#counts.get(number) ?? 0} of ${this.listeners}`)
      .join(', ');
  }
}
