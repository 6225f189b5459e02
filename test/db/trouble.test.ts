import { describe, expect, test } from 'vitest';
import { createOutageLog, troubleOf } from '../../src/db/trouble.ts';
import { captureLog } from '../support/logs.ts';

const coded = (code: string, message = 'something') => Object.assign(new Error(message), { code });

describe('trouble of the database is told from errors that somebody has made', () => {
  test.each([
    ['a refused connection', coded('ECONNREFUSED')],
    ['one that is refused on every address of a name', new AggregateError([coded('ECONNREFUSED')])],
    ['a connection that breaks', coded('ECONNRESET')],
    ['a name that is not known right now', coded('EAI_AGAIN')],
    ['an end without a word', new Error('Connection terminated unexpectedly')],
    ['a statement on what has ended', new Error('Client has encountered a connection error and is not queryable')],
    ['no free connection', new Error('timeout exceeded when trying to connect')],
    ['too many connections', coded('53300')],
    ['a server that is being shut down', coded('57P01')],
    ['one that starts', coded('57P03')],
    ['one that has become a standby', coded('25006')],
    ['a certificate that nobody trusts', coded('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate')],
    ['one that has run out', coded('CERT_HAS_EXPIRED')],
    ['one for another name', coded('ERR_TLS_CERT_ALTNAME_INVALID')],
    ['a server without TLS', new Error('The server does not support SSL connections')],
    ["Prisma's, which cannot reach it", coded('P1001')],
    ['what the driver told Prisma', Object.assign(new Error('x'), { cause: { kind: 'postgres', code: '57P01' } })],
    [
      'what Prisma keeps of it',
      Object.assign(coded('P2010'), { meta: { driverAdapterError: { cause: { originalCode: '57P02' } } } }),
    ],
  ])('%s is an outage', (_what, error) => {
    expect(troubleOf(error)).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test.each([
    ['ended by the database', coded('57014')],
    ['of Prisma, ended by the database', Object.assign(new Error('x'), { cause: { originalCode: '57014' } })],
    ['not answered', new Error('Query read timeout')],
  ])('a statement that is %s took too long', (_what, error) => {
    expect(troubleOf(error)).toMatchObject({ code: 'TIMEOUT' });
  });

  test.each([
    coded('23505'),
    coded('42P01'),
    coded('40P01'),
    coded('P2002'),
    new Error('Connection of thoughts'),
    new TypeError('x is not a function'),
    null,
    undefined,
    'ECONNREFUSED',
  ])('anything else is not: %s', (error) => {
    expect(troubleOf(error)).toBeNull();
  });

  test('an error that wraps itself is looked at to some depth', () => {
    const error = new Error('round');
    error.cause = error;
    expect(troubleOf(error)).toBeNull();
  });
});

test('R9 the log has two lines of an outage, however many requests met it', () => {
  const log = captureLog();
  const outages = createOutageLog(log.logger, 'the database');
  outages.answered();
  for (let count = 0; count < 50; count++) outages.failed(coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'));
  outages.answered();
  outages.answered();
  expect(log.lines).toMatchObject([
    { level: 50, msg: 'the database does not answer', reason: 'connect ECONNREFUSED 127.0.0.1:1' },
    { level: 30, msg: 'the database answers again', failures: 50, forMs: expect.any(Number) },
  ]);
});
