import { zipOf } from '../../test/import/zipWriter.ts';

const people = 500;
const membersPerRoom = 60;
const days = 30;
const firstDay = Date.UTC(2020, 0, 1) / 1000;
const words = 'we should have it in the log before anybody asks why this one was so slow yesterday night again'.split(
  ' ',
);

/**
 * A Slack export, zipped as Slack does: a file for each room and day. Of its messages, as in a real export, a tenth tells
 * who joined, a tenth was edited, one in fifteen answers another one and one in six mentions somebody. The same each time.
 */
export function slackExport(size: { readonly rooms: number; readonly messages: number }): Buffer {
  const random = generator();
  const userAt = (index: number) => `U${1_000_000 + (index % people)}`;
  const users = Array.from({ length: people }, (_, index) => ({
    id: userAt(index),
    name: `user${index}`,
    real_name: `User ${index}`,
    profile: { email: `user${index}@example.com`, image_192: `https://pictures.example/${index}` },
  }));
  const files: Record<string, string> = { 'users.json': JSON.stringify(users) };
  const rooms = Array.from({ length: size.rooms }, (_, index) => ({
    id: `C${1_000_000 + index}`,
    name: `room-${index}`,
    created: firstDay,
    creator: userAt(index),
    members: Array.from({ length: membersPerRoom }, (_member, place) => userAt(index + place)),
  }));
  files['channels.json'] = JSON.stringify(rooms);
  const perDay = Math.ceil(size.messages / size.rooms / days);
  for (const [index, { name }] of rooms.entries()) {
    for (let day = 0; day < days; day++) {
      const messages: { readonly ts: string; readonly text: string }[] = [];
      for (let place = 0; place < perDay; place++) {
        const ts = `${firstDay + day * 86_400 + place * Math.floor(86_400 / perDay)}.${String(random(1_000_000)).padStart(6, '0')}`;
        const user = userAt(index + random(membersPerRoom));
        const kind = random(30);
        const joined = kind < 3;
        const answered = messages[random(messages.length)];
        messages.push({
          ...{ type: 'message', user, ts, client_msg_id: `${index}-${day}-${place}` },
          text: joined
            ? `<@${user}> has joined the channel`
            : `${sentence(random)}${kind < 8 ? ` <@${userAt(kind)}>` : ''}`,
          ...(joined ? { subtype: 'channel_join' } : {}),
          ...(kind > 26 ? { edited: { user, ts } } : {}),
          ...(kind === 8 || kind === 9 ? answered && { thread_ts: answered.ts } : {}),
        });
      }
      files[`${name}/${new Date((firstDay + day * 86_400) * 1000).toISOString().slice(0, 10)}.json`] =
        JSON.stringify(messages);
    }
  }
  return zipOf(files, {}, true);
}

function sentence(random: (below: number) => number): string {
  return Array.from({ length: 5 + random(40) }, () => words[random(words.length)]).join(' ');
}

function generator(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}
