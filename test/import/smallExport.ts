import type { Files } from './world.ts';

export const users = [
  {
    id: 'U1',
    name: 'zoe',
    real_name: 'Zoe',
    profile: { email: 'Zoe@Example.com', image_192: 'https://example.com/z.png' },
  },
  { id: 'U2', name: 'max', real_name: 'Max', profile: { email: 'max@example.com' } },
  { id: 'U3', name: 'gone', real_name: 'Gone', deleted: true, profile: {} },
  { id: 'U4', name: 'robot', real_name: 'Robot', is_bot: true, profile: { bot_id: 'B4' } },
];
export const general = {
  id: 'C1',
  name: 'general',
  created: 1_500_000_000,
  creator: 'U1',
  members: ['U1', 'U2', 'U9'],
  topic: { value: 'All &amp; sundry' },
};
/** A message as Slack's export has it. */
export const message = (ts: string, user: string, text: string, more: object = {}) => ({
  type: 'message',
  ...{ user, text, ts, ...more },
});

/** A bit of everything: 20 messages that show something in five rooms. */
export const small: Files = {
  'users.json': users,
  'channels.json': [general, { id: 'C2', name: 'old', created: 1_500_000_000, creator: 'U2', is_archived: true }],
  'groups.json': [{ id: 'G1', name: 'secret', created: 1_500_000_001, creator: 'U2', members: ['U2'] }],
  'dms.json': [{ id: 'D1', created: 1_500_000_002, members: ['U1', 'U2'] }],
  'mpims.json': [{ id: 'G2', name: 'mpdm-zoe--max--gone-1', created: 1_500_000_003, members: ['U1', 'U2', 'U3'] }],
  // The days are out of order, and so is what is in them.
  'general/2020-01-02.json': [
    message('1577923202.000100', 'U2', 'second day, later'),
    message('1577923201.000100', 'U1', 'second day'),
    message('1577836800.000150', 'U1', 'between the first two'),
  ],
  'general/2020-01-01.json': [
    message('1577836800.000100', 'U1', 'first', { edited: { user: 'U1', ts: '1577836900.000000' } }),
    message(
      '1577836800.000200',
      'U2',
      'hi <@U1>, <@U4|robot>, <@U77> &lt;b&gt; <!here> see <https://x.org/?a=1&amp;b|x> in <#C2|old>',
    ),
    message('1577836801.000100', 'U2', 'a reply', { thread_ts: '1577836800.000100' }),
    message('1577836802.000100', 'U2', 'to nothing', { thread_ts: '1577830000.000100' }),
    message('1577836803.000100', 'U3', '<@U3> has left', { subtype: 'channel_leave' }),
    message('1577836803.000200', 'U2', '<@U2> has joined', { subtype: 'channel_join', inviter: 'U1' }),
    message('1577836803.000300', 'U1', '', { subtype: 'channel_topic', topic: 'tea' }),
    message('1577836803.000400', 'U1', 'pinned', { subtype: 'pinned_item' }),
    {
      type: 'message',
      subtype: 'bot_message',
      bot_id: 'B8',
      username: 'Builder',
      text: 'built',
      ts: '1577836804.000100',
    },
    { type: 'message', subtype: 'bot_message', bot_id: 'B4', text: 'as a user', ts: '1577836804.000200' },
    message('1577836805.000100', 'U1', 'waves', { subtype: 'me_message' }),
    message('1577836806.000100', 'U1', '', {
      files: [{ name: 'a.png', url_private: 'https://f/a.png' }, { name: 'b' }],
    }),
    message('1577836807.000100', 'U1', '   '),
    message('1577836808.000100', 'U88', 'from outside\u0000'),
    message('1577836809.000100', 'U1', 'x'.repeat(40_001)),
    message('1577836800.000100', 'U1', 'first', {}),
  ],
  'secret/2020-01-01.json': [message('1577836800.000100', 'U2', 'alone')],
  'D1/2020-01-01.json': [message('1577836800.000100', 'U1', 'direct')],
  'mpdm-zoe--max--gone-1/2020-01-01.json': [message('1577836800.000100', 'U3', 'three of us')],
};
