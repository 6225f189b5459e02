import { randomUUID } from 'node:crypto';
import { fromUUID } from 'typeid-js';
import { describe, expect, test } from 'vitest';
import { ValidationError } from '../../src/kernel/errors.ts';
import { decodeId, derivedId, encodeId, newId, parseId } from '../../src/kernel/ids.ts';

const types = [
  ['Room', 'room'],
  ['Message', 'msg'],
  ['User', 'user'],
  ['ServiceAccount', 'svc'],
  ['Purge', 'purge'],
] as const;

describe('public ids', () => {
  test.each(types)('of a %s lead back to its type and UUID', (type, prefix) => {
    const uuid = newId();
    const id = encodeId(type, uuid);
    expect(id).toMatch(new RegExp(`^${prefix}_[0-9a-z]{26}$`));
    expect(decodeId(id)).toEqual({ type, uuid });
  });

  test.each(types)('of a %s are TypeIDs', (type, prefix) => {
    const uuids = [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      newId().toUpperCase(),
    ];
    for (let count = 0; count < 1_000; count++) uuids.push(count % 2 === 0 ? newId() : randomUUID());
    for (const uuid of uuids) {
      const id = fromUUID(uuid.toLowerCase(), prefix);
      expect(encodeId(type, uuid)).toBe(id);
      expect(decodeId(id)).toEqual({ type, uuid: uuid.toLowerCase() });
    }
  });

  test('are of UUIDs only', () => {
    for (const text of ['', 'a', `${newId()}0`, newId().slice(1)]) expect(() => encodeId('Room', text)).toThrow();
  });

  test('sort by the time at which they were made', () => {
    const ids = Array.from({ length: 1_000 }, () => encodeId('Message', newId()));
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each([
    '',
    '_',
    'room',
    'room_',
    'nonsense',
    'thing_01h455vb4pex5vsknk084sn02q',
    `room_${'z'.repeat(26)}`,
    'room_01h455vb4pex5vsknk084sn02',
    'room_01h455vb4pex5vsknk084sn02qq',
    'room_01H455VB4PEX5VSKNK084SN02Q',
    'room_01h455vb4pex5vsknk084sn02u',
    ' room_01h455vb4pex5vsknk084sn02q',
    'room_01h455vb4pex5vsknk084sn02q\0',
    'room_room_01h455vb4pex5vsknk084sn02q',
    newId(),
    // Of versions that there are not, and of another variant.
    encodeId('Room', '019f7b5e-1a4b-0c3d-8e5f-6a7b8c9d0e1f'),
    encodeId('Room', '019f7b5e-1a4b-9c3d-8e5f-6a7b8c9d0e1f'),
    encodeId('Room', '019f7b5e-1a4b-7c3d-4e5f-6a7b8c9d0e1f'),
  ])('%j is none', (text) => {
    expect(decodeId(text)).toBeNull();
  });

  test('are of the type that is asked for, or refused with the name of the field', () => {
    const uuid = newId();
    expect(parseId('Room', encodeId('Room', uuid), 'input.roomId')).toBe(uuid);
    expect(parseId(['User', 'ServiceAccount'], encodeId('ServiceAccount', uuid), 'input.userId')).toBe(uuid);
    const wrong = () => parseId(['User', 'ServiceAccount'], encodeId('Room', uuid), 'input.userId');
    expect(wrong).toThrow(ValidationError);
    expect(wrong).toThrow('input.userId: expected the id of a User or ServiceAccount');
  });
});

describe('T14 derived ids', () => {
  const at = new Date('2020-02-03T04:05:06.789Z');

  test('are the same for the same time and key, and others for others', () => {
    expect(derivedId(at, 'a')).toBe(derivedId(at, 'a'));
    const others = [derivedId(at, 'a'), derivedId(at, 'b'), derivedId(new Date(at.getTime() + 1), 'a')];
    expect(new Set(others).size).toBe(3);
  });

  test('are UUIDs of version 7 that sort by the time given', () => {
    expect(derivedId(at, 'a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(derivedId(at, 'z') < derivedId(new Date(at.getTime() + 1), 'a')).toBe(true);
    expect(derivedId(at, 'a') < newId()).toBe(true);
  });
});
