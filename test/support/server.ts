import { afterAll } from 'vitest';
import { startApi } from '../../src/server.ts';
import { type Client, createClient } from './client.ts';
import { type House, type HouseOptions, openHouse } from './house.ts';
import { textAt } from './json.ts';
import { type Person, signToken } from './people.ts';

/** A person at a client, who has signed in. */
export interface Visitor extends Client {
  /** The public id of the person. */
  readonly id: string;
  readonly name: string;
}

/** A whole process of the back end, listening on a free port. */
export interface TestServer extends House {
  /** Where GraphQL is. */
  readonly url: string;
  signIn(person: Person): Promise<Visitor>;
  /** As at SIGTERM; otherwise it stops after the last test of the file. */
  stop(): Promise<void>;
}

/** Starts it, and stops it after the last test of the file. Several on one database and Redis act as one. */
export async function startServer(options: HouseOptions): Promise<TestServer> {
  const house = await openHouse(options);
  const api = await startApi(house.config, house.foundation, house.log.logger, false);
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= api.close());
  afterAll(stop);
  return {
    ...house,
    url: api.url,
    stop,
    async signIn(person) {
      const client = createClient(api.url, await signToken(person));
      const { data } = await client.query('{ viewer { actor { id } } }');
      return { ...client, id: textAt(data, 'viewer.actor.id'), name: person.subject };
    },
  };
}
