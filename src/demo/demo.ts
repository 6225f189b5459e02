import type { Caller } from '../domains/caller.ts';
import { signIn } from '../domains/identity/identity.service.ts';
import { editMessage, sendMessage } from '../domains/messages/messages.service.ts';
import { markRead } from '../domains/reading/reading.service.ts';
import { joinRoom } from '../domains/rooms/membership.service.ts';
import { createRoom, openDirectRoom } from '../domains/rooms/opening.service.ts';
import { listRooms } from '../domains/rooms/rooms.service.ts';
import { encodeId } from '../kernel/ids.ts';
import type { Foundation } from '../server.ts';
import { chatter, opening } from './demoTexts.ts';

export const demoTenant = 'demo';

/** The people of the demo; the first three have their tokens printed. */
export const people = [
  { subject: 'ana', name: 'Ana Souza', role: 'admin', email: 'ana@demo.example' },
  { subject: 'bruno', name: 'Bruno Lima', role: 'supervisor', email: 'bruno@demo.example' },
  { subject: 'carla', name: 'Carla Mendes', role: 'agent', email: 'carla@demo.example' },
  { subject: 'diego', name: 'Diego Rocha', role: 'agent', email: 'diego@demo.example' },
  { subject: 'elise', name: 'Élise Moreau', role: 'agent', email: 'elise@demo.example' },
] as const;

const roles = { admin: 'ADMIN', supervisor: 'SUPERVISOR', agent: 'AGENT' } as const;

/** Seeds the demo tenant through the same use cases that clients use, if there is no tenant at all as yet. */
export async function seedDemo(foundation: Foundation): Promise<void> {
  if ((await foundation.database.prisma.tenant.count()) > 0) return;
  const [ana, bruno, carla, diego, elise] = await Promise.all(people.map((person) => callerOf(foundation, person)));
  if (!ana || !bruno || !carla || !diego || !elise) throw new Error('the demo has lost somebody');
  const id = (caller: Caller) => caller.actor.id;

  const general = await createRoom(ana, {
    kind: 'CHANNEL',
    name: 'general',
    topic: 'Everything for everybody',
    memberIds: [],
  });
  for (const caller of [bruno, carla, diego, elise]) await joinRoom(caller, general);
  await converse([ana, bruno, carla, diego, elise], general, 180);

  const support = await createRoom(bruno, {
    kind: 'CHANNEL',
    name: 'support',
    topic: 'Questions of customers',
    memberIds: [],
  });
  for (const caller of [carla, diego]) await joinRoom(caller, support);
  await converse([bruno, carla, diego], support, 90);

  const launch = await createRoom(ana, {
    kind: 'GROUP',
    name: 'Launch team',
    topic: 'The launch in March',
    memberIds: [id(bruno), id(elise)],
  });
  await converse([ana, bruno, elise], launch, 40);

  const direct = await openDirectRoom(ana, id(carla));
  await converse([ana, carla], direct, 12);
  await converse([bruno, ana], await openDirectRoom(bruno, id(ana)), 6);

  await markRead(ana, general, undefined);
  await converse([bruno, carla], general, 3);
}

/** A room to start with: the channel in which everybody is. */
export async function demoRoom(foundation: Foundation): Promise<string | null> {
  const tenant = await foundation.database.prisma.tenant.findUnique({ where: { key: demoTenant } });
  if (!tenant) return null;
  const page = await listRooms(
    await callerOf(foundation, people[0]),
    { list: 'OWN', includeArchived: false, previews: false },
    {},
  );
  const general = page.rows.find((view) => view.room.name === 'general') ?? page.rows[0];
  return general ? encodeId('Room', general.room.id) : null;
}

async function callerOf(foundation: Foundation, person: (typeof people)[number]): Promise<Caller> {
  const { subject, name, email, role } = person;
  const claims = { subject, name, email, tenant: demoTenant, role: roles[role], picture: undefined };
  const expiresAt = Date.now() + 60_000;
  return foundation.callerFor(await signIn(foundation.database, { ...claims, permissions: [], expiresAt }));
}

/** Lets people talk in turn: openings, answers as replies, a mention here and there, an edit at the end. */
async function converse(callers: readonly Caller[], roomId: string, count: number): Promise<void> {
  let last: { id: string; caller: Caller } | null = null;
  for (let index = 0; index < count; index++) {
    const caller = callers[index % callers.length];
    if (!caller) return;
    const answers = last !== null && index % 5 === 3;
    const greeting = index === 1 && last ? `<@${encodeId('User', last.caller.actor.id)}> ` : '';
    const text = index === 0 ? opening : (chatter[(index * 7) % chatter.length] ?? opening);
    const message = await sendMessage(caller, {
      roomId,
      body: `${greeting}${text}`,
      nonce: undefined,
      replyToId: answers ? last?.id : undefined,
    });
    last = { id: message.id, caller };
  }
  if (last && count > 10) await editMessage(last.caller, last.id, 'See you tomorrow then (edited: at **ten**).');
}
