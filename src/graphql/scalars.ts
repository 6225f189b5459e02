import { GraphQLError, Kind } from 'graphql';
import { writeTime } from '../kernel/time.ts';
import { builder } from './builder.ts';

function parse(value: unknown): Date {
  const date = typeof value === 'string' ? new Date(value) : null;
  if (!date || Number.isNaN(date.getTime())) throw new GraphQLError('DateTime: expected an ISO 8601 time');
  return date;
}

builder.scalarType('DateTime', {
  description: 'A point in time: ISO 8601 in UTC with milliseconds, as in `2026-11-21T09:30:00.000Z`.',
  serialize: writeTime,
  parseValue: parse,
  parseLiteral: (node) => parse(node.kind === Kind.STRING ? node.value : null),
});
