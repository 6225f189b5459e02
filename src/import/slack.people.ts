import type { Database } from '../db/database.ts';
import { derivedId, encodeId } from '../kernel/ids.ts';
import { count, type ImportReport } from './report.ts';
import type { SlackUser } from './slack.format.ts';
import { type ActorDraft, findActors, findSignedIn, insertActors } from './slack.store.ts';
import { clean, cut } from './slack.text.ts';

export interface Person {
  readonly id: string;
  readonly name: string;
  /** As it stands in a body that mentions this one. */
  readonly mention: string;
}

/** Everybody the export speaks of. Whoever is met for the first time waits to be written by `save`. */
export interface People {
  user(slackId: string): Person;
  /** A bot that posts without a user. */
  bot(slackId: string, name: string): Person;
  /** Stands for the author of what has none. */
  nobody(): Person;
  /** Writes those that are new; before anything that refers to them. */
  save(): Promise<void>;
}

const maxNameLength = 200;
const maxEmailLength = 320;
const maxUrlLength = 2_000;

// Slack does not say when an account was made, and the id has to be the same in every export of the workspace.
const accountsSince = new Date(0);

/**
 * The people of an export in a tenant. A user is, in this order: who an earlier run made of him; who has signed in with
 * his e-mail address; or somebody new, whom a first sign-in with that address will claim.
 */
export async function loadPeople(
  database: Database,
  tenantId: string,
  users: readonly SlackUser[],
  report: ImportReport,
): Promise<People> {
  const db = database.forTenant(tenantId);
  const idOf = (kind: 'user' | 'bot', slackId: string) =>
    derivedId(accountsSince, `slack:${tenantId}:${kind}:${slackId}`);
  const known = new Map<string, Person>();
  const userOfBot = new Map<string, string>();
  let waiting: ActorDraft[] = [];

  function add(key: string, draft: ActorDraft): Person {
    const person = toPerson(draft.id, draft.kind, draft.name);
    known.set(key, person);
    waiting.push(draft);
    return person;
  }

  async function save(): Promise<void> {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const added = await insertActors(db, batch);
    report.actors.added += added;
    report.actors.existing += batch.length - added;
  }

  const unique = [...new Map(users.toReversed().map((user) => [user.id, user])).values()].reverse();
  count(report.remarks, 'users given twice', users.length - unique.length);
  const drafts = withOwnEmails(unique.map((user) => toDraft(user, idOf('user', user.id))));
  const ids = drafts.map((draft) => draft.id);
  const existing = await findActors(db, ids);
  const emails = drafts.flatMap(({ id, email }) => (email && !existing.has(id) ? [email] : []));
  const signedIn = await findSignedIn(db, emails);
  for (const [index, draft] of drafts.entries()) {
    const user = unique[index];
    if (!user) continue;
    if (user.profile?.bot_id) userOfBot.set(user.profile.bot_id, user.id);
    const kind = existing.get(draft.id);
    const account = draft.email !== null && draft.kind === 'USER' && !kind ? signedIn.get(draft.email) : undefined;
    if (account) {
      known.set(user.id, toPerson(account, 'USER', draft.name));
      report.actors.existing++;
      count(report.remarks, 'users who are known by their e-mail address');
    } else if (kind) {
      known.set(user.id, toPerson(draft.id, kind === 'SERVICE_ACCOUNT' ? kind : 'USER', draft.name));
      report.actors.existing++;
    } else {
      add(user.id, draft);
    }
  }
  const profile = { email: null, pictureUrl: null, deactivated: false } as const;

  function bot(slackId: string, name: string): Person {
    const user = userOfBot.get(slackId);
    const found = (user === undefined ? undefined : known.get(user)) ?? known.get(`bot:${slackId}`);
    if (found) return found;
    const draft = {
      id: idOf('bot', slackId),
      kind: 'SERVICE_ACCOUNT',
      name: toName(name, slackId),
      ...profile,
    } as const;
    return add(`bot:${slackId}`, draft);
  }

  return {
    save,
    bot,
    nobody: () => bot('nobody', 'Unknown (Slack)'),
    user(slackId) {
      const found = known.get(slackId);
      if (found) return found;
      if (slackId.startsWith('B')) return bot(slackId, slackId);
      count(report.remarks, 'placeholders for users that are not in users.json');
      const name = toName(slackId, 'unknown');
      return add(slackId, { id: idOf('user', slackId), kind: 'USER', name, ...profile });
    },
  };
}

function toPerson(id: string, kind: ActorDraft['kind'], name: string): Person {
  return { id, name, mention: `<@${encodeId(kind === 'USER' ? 'User' : 'ServiceAccount', id)}>` };
}

function toDraft(user: SlackUser, id: string): ActorDraft {
  const { profile } = user;
  const email = clean(profile?.email ?? '')
    .trim()
    .toLowerCase();
  const picture = profile?.image_512 || profile?.image_192 || profile?.image_72 || '';
  const name = [user.real_name, profile?.real_name, profile?.display_name, user.name].find((text) => text?.trim());
  return {
    id,
    // Slackbot is not marked as a bot.
    kind: user.is_bot || user.id === 'USLACKBOT' ? 'SERVICE_ACCOUNT' : 'USER',
    name: toName(name ?? '', user.id),
    email: email !== '' && email.length <= maxEmailLength ? email : null,
    pictureUrl: isWebAddress(picture) ? picture : null,
    deactivated: user.deleted ?? false,
  };
}

function toName(name: string, otherwise: string): string {
  return cut(
    clean(name)
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim() || clean(otherwise),
    maxNameLength,
  );
}

function isWebAddress(url: string): boolean {
  return url.length <= maxUrlLength && /^https?:\/\//.test(url) && URL.canParse(clean(url)) && url === clean(url);
}

/** An address belongs to one account, an active one first: the person who signs in with it can be only one of them. */
function withOwnEmails(drafts: readonly ActorDraft[]): ActorDraft[] {
  const owners = new Map<string, ActorDraft>();
  for (const draft of drafts) {
    if (draft.email === null) continue;
    const owner = owners.get(draft.email);
    if (!owner || (owner.deactivated && !draft.deactivated)) owners.set(draft.email, draft);
  }
  return drafts.map((draft) =>
    draft.email !== null && owners.get(draft.email) !== draft ? { ...draft, email: null } : draft,
  );
}
