import path from 'node:path';
import type { z } from 'zod';
import { ImportError } from './importError.ts';
import type { Problem } from './report.ts';
import {
  messageSchema,
  roomSchema,
  type SlackMessage,
  type SlackRoom,
  type SlackUser,
  userSchema,
} from './slack.format.ts';
import { openArchive, reasonOf } from './zip.ts';

/** The lists of rooms that an export may have, and what the rooms in them are. */
const roomLists = [
  ['channels.json', 'CHANNEL'],
  ['groups.json', 'GROUP'],
  ['mpims.json', 'GROUP'],
  ['dms.json', 'DIRECT'],
] as const;

export interface ListedRoom {
  readonly kind: (typeof roomLists)[number][1];
  readonly room: SlackRoom;
}

type OnProblem = (problem: Problem) => void;

/** A Slack export that was opened, with its users at hand; the rest is read from the file when asked for. */
export interface SlackExport {
  readonly users: readonly SlackUser[];
  /** What was wrong with entries of users.json. */
  readonly userProblems: readonly Problem[];
  /** How many files of messages there are. */
  readonly fileCount: number;
  rooms(onProblem: OnProblem): Promise<ListedRoom[]>;
  /** A room's messages, file by file in the order of the names. */
  messages(room: SlackRoom, onProblem: OnProblem): AsyncGenerator<SlackMessage[]>;
  /** Folders with messages that belong to none of the rooms. */
  strayFolders(rooms: readonly SlackRoom[]): string[];
  close(): void;
}

/**
 * Opens an export and reads its users.
 * @throws ImportError when it is no zip file or has no usable users.json.
 */
export async function openSlackExport(file: string): Promise<SlackExport> {
  const archive = await openArchive(file);
  try {
    const root = rootOf(archive.paths, file);
    const folders = messageFolders(archive.paths, root);
    const folderOf = (room: SlackRoom) => (room.name && folders.has(room.name) ? room.name : room.id);

    async function readList<T>(name: string, schema: z.ZodType<T>, onProblem: OnProblem): Promise<T[]> {
      return parseList(name, await archive.read(root + name), schema, onProblem);
    }

    const userProblems: Problem[] = [];
    const users = await readUsers(() => readList('users.json', userSchema, (problem) => userProblems.push(problem)));
    return {
      users,
      userProblems,
      fileCount: [...folders.values()].reduce((sum, files) => sum + files.length, 0),
      async rooms(onProblem) {
        const rooms: ListedRoom[] = [];
        for (const [name, kind] of roomLists) {
          if (!archive.paths.includes(root + name)) continue;
          const list = await orProblem(name, onProblem, () => readList(name, roomSchema, onProblem));
          for (const room of list ?? []) rooms.push({ kind, room });
        }
        return rooms;
      },
      async *messages(room, onProblem) {
        for (const name of folders.get(folderOf(room)) ?? []) {
          yield (await orProblem(name, onProblem, () => readList(name, messageSchema, onProblem))) ?? [];
        }
      },
      strayFolders(rooms) {
        const known = new Set(rooms.map(folderOf));
        return [...folders.keys()].filter((folder) => !known.has(folder));
      },
      close: archive.close,
    };
  } catch (error) {
    archive.close();
    throw error;
  }
}

/** Where users.json is: at the top, or in a folder that was zipped as a whole. */
function rootOf(paths: readonly string[], file: string): string {
  const candidates = paths.filter(
    (name) => path.posix.basename(name) === 'users.json' && !name.startsWith('__MACOSX/'),
  );
  const [users] = candidates.sort((a, b) => a.split('/').length - b.split('/').length);
  if (users === undefined) throw new ImportError(`${file} is not a Slack export: there is no users.json in it`);
  return users.slice(0, -'users.json'.length);
}

function messageFolders(paths: readonly string[], root: string): ReadonlyMap<string, readonly string[]> {
  const folders = new Map<string, string[]>();
  for (const name of paths) {
    if (!name.startsWith(root)) continue;
    const [folder = '', day, ...deeper] = name.slice(root.length).split('/');
    if (!day?.endsWith('.json') || deeper.length > 0 || folder === '__MACOSX') continue;
    const files = folders.get(folder);
    if (files) files.push(`${folder}/${day}`);
    else folders.set(folder, [`${folder}/${day}`]);
  }
  for (const files of folders.values()) files.sort();
  return folders;
}

// Without users every author would become a placeholder, for good: better not to begin.
async function readUsers(read: () => Promise<SlackUser[]>): Promise<SlackUser[]> {
  try {
    return await read();
  } catch (error) {
    throw new ImportError(`the export's users.json cannot be read: ${reasonOf(error)}`);
  }
}

async function orProblem<T>(file: string, onProblem: OnProblem, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    onProblem({ file, index: null, reason: reasonOf(error) });
    return null;
  }
}

function parseList<T>(file: string, content: Buffer, schema: z.ZodType<T>, onProblem: OnProblem): T[] {
  const list: unknown = parseJson(content);
  if (!Array.isArray(list)) throw new Error('is not a list');
  return list.flatMap((entry: unknown, index) => {
    const parsed = schema.safeParse(entry);
    if (parsed.success) return [parsed.data];
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.');
    onProblem({ file, index, reason: `${field ? `${field}: ` : ''}${issue?.message ?? 'cannot be understood'}` });
    return [];
  });
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    // The parser's own message quotes the file, which may be anything.
    throw new Error('is not valid JSON');
  }
}
