import pg from 'pg';
import { expect, test } from 'vitest';
import { postgresEngine } from '../../src/db/engine.ts';
import { sql } from '../../src/db/sql.ts';
import { parseUsualTime } from '../../src/db/times.ts';
import { createTestDatabase } from '../services/database.ts';
import { createRandom } from '../support/random.ts';

const parseAny: (text: string) => Date | number = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);
const time = sql<{ at: Date | number; text: string }>(
  'test.time',
  'SELECT $1::timestamptz AS at, $1::timestamptz::text AS text',
);

test('a time is read as the driver reads it, however PostgreSQL writes it', async () => {
  const random = createRandom('times');
  const texts = [
    'infinity',
    '-infinity',
    '0044-03-15 12:00:00+00 BC',
    '0099-12-31 23:59:59+00',
    '0100-01-01 00:00:00+00',
  ];
  texts.push(
    '9999-12-31 23:59:59.999999+00',
    '10000-01-01 00:00:00+00',
    '2026-02-28 23:59:60+00',
    '2026-11-21 09:30:00.5+05:30',
  );
  for (let count = 0; count < 300; count++) {
    const at = new Date(random.integer(4_000_000) * 1_000_000 - 1_000_000_000_000 + random.integer(1_000));
    texts.push(
      at
        .toISOString()
        .replace(/\.(\d)(\d)(\d)Z/, random.pick(['+00', '.$1+00', '.$1$2+00', '.$1$2$3+00', '.$1$2$3456+00'])),
    );
  }
  const engine = postgresEngine(await createTestDatabase(), 1, () => undefined);
  try {
    for (const zone of ['UTC', 'Europe/Lisbon', 'Asia/Kolkata']) {
      await engine.run(sql<never>(`test.zone.${zone}`, `SET TIME ZONE '${zone}'`), []);
      for (const given of texts) {
        const [row] = await engine.run(time, [given]);
        expect(Number(row?.at), row?.text).toBe(Number(parseAny(row?.text ?? '')));
      }
    }
  } finally {
    await engine.close();
  }
  expect(parseUsualTime('2026-11-21 09:30:00.123+00')).toEqual(new Date('2026-11-21T09:30:00.123Z'));
  expect(parseUsualTime('2026-11-21 09:30:00+02')).toBeNull();
});
