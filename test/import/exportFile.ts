import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openPromise } from 'yauzl';
import { type Files, writeExport } from './world.ts';

/** A room's entry in channels.json, as far as the tests need it. */
export interface FileRoom {
  readonly id: string;
  readonly name: string;
  readonly creator?: string;
  readonly members: readonly string[];
}

export interface FileMessage {
  readonly type: string;
  readonly subtype?: string;
  readonly ts: string;
  readonly thread_ts?: string;
  readonly user?: string;
  readonly text: string;
  readonly files?: readonly unknown[];
}

interface FileUser {
  readonly id: string;
  readonly profile: { readonly email: string };
}

/** An export as it is in its file, read without any of the importer's code. */
export interface ExportContents {
  readonly users: readonly FileUser[];
  readonly rooms: readonly FileRoom[];
  messagesOf(room: FileRoom): FileMessage[];
}

const realExport = fileURLToPath(new URL('../../../shared/data/slack-export.zip', import.meta.url));

/** A real export where this machine has it beside the repository, else one made up of about the same size. */
export function chooseExport(): { readonly file: string; readonly what: string } {
  if (existsSync(realExport)) return { file: realExport, what: 'the real export beside the repository' };
  return { file: writeExport(madeUpExport()), what: 'an export made up of the size of a real one' };
}

export async function readContents(file: string): Promise<ExportContents> {
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false });
  const files = new Map<string, unknown>();
  for await (const entry of zip.eachEntry()) {
    const chunks: Buffer[] = [];
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk);
    files.set(entry.fileName, JSON.parse(Buffer.concat(chunks).toString('utf8')));
  }
  zip.close();
  return {
    users: files.get('users.json') as FileUser[],
    rooms: files.get('channels.json') as FileRoom[],
    messagesOf: (room) =>
      [...files.entries()]
        .filter(([name]) => name.startsWith(`${room.name}/`))
        .flatMap(([, messages]) => messages as FileMessage[]),
  };
}

/** The same each time: 500 users, 140 channels, 6,500 messages of every kind, some of them out of order. */
function madeUpExport(): Files {
  let state = 1;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const users = Array.from({ length: 500 }, (_, index) => ({
    id: `U${1000 + index}`,
    name: `user${index}`,
    real_name: `User ${index}`,
    profile: { email: `user${index}@example.com` },
  }));
  const rooms = Array.from({ length: 140 }, (_, index) => {
    const members = [...new Set(Array.from({ length: 1 + random(30) }, () => `U${1000 + random(500)}`))];
    return {
      id: `C${1000 + index}`,
      name: `room-${index}`,
      created: 1_400_000_000 + index,
      creator: members[0],
      members,
    };
  });
  const days = new Map<string, FileMessage[]>();
  const subtypes = ['channel_join', 'channel_leave', 'me_message', 'file_share', 'bot_message', 'pinned_item'];
  for (let index = 0; index < 6_500; index++) {
    const room = rooms[random(140)];
    if (!room) continue;
    const day = random(4);
    const list = days.get(`${room.name}/2020-01-0${day + 1}.json`) ?? [];
    days.set(`${room.name}/2020-01-0${day + 1}.json`, list);
    const before = list[random(list.length)];
    const subtype = random(4) === 0 ? subtypes[random(subtypes.length)] : undefined;
    const ts = `${1_577_836_800 + day * 86_400 + random(86_400)}.${String(index).padStart(6, '0')}`;
    list.push({
      type: 'message',
      ...(subtype ? { subtype } : {}),
      ...(subtype === 'bot_message' ? { bot_id: 'B1', username: 'Bot' } : { user: `U${1000 + random(500)}` }),
      ...(subtype === 'file_share' ? { files: [{ name: 'a.txt' }] } : {}),
      ...(before && random(5) === 0 && before.ts < ts ? { thread_ts: before.ts } : {}),
      text: random(100) === 0 ? '' : `message ${index} to <@U${1000 + random(500)}>`,
      ts,
    });
  }
  return { 'users.json': users, 'channels.json': rooms, ...Object.fromEntries(days) };
}
