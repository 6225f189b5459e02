/** Whom and what the markup of a text refers to, in the words of the target. */
export interface TextTarget {
  /** What stands for a user or bot with this Slack id. */
  mention(slackId: string): string;
  /** What stands for everybody in the room. */
  room(): string;
}

const entities: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&amp;': '&' };

/** Slack escapes these three characters and no others. One pass: `&amp;lt;` is `&lt;`, not `<`. */
function unescaped(text: string): string {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => entities[entity] ?? entity);
}

/** PostgreSQL cannot hold a NUL, nor half of a surrogate pair. */
export function clean(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

/** The text cut to so many code points. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  // Two units at the most make one code point: what lies beyond need not be taken apart.
  return [...text.slice(0, 2 * max)].slice(0, max).join('').toWellFormed();
}

const code = /(```[\s\S]*?```|`[^`\n]+`)/;
const reference = /<([^<>]+)>/g;

/**
 * Slack's markup as Prosa's: Markdown, with mentions of its own form. References are resolved inside code as well, where
 * Slack puts them too, but a link there stays what was typed.
 */
export function convertText(slack: string, target: TextTarget): string {
  return clean(slack)
    .split(code)
    .map((part, index) => {
      const inCode = index % 2 === 1;
      const pieces = part.split(reference);
      return pieces
        .map((piece, place) => (place % 2 === 1 ? convertReference(piece, inCode, target) : unescaped(piece)))
        .join('');
    })
    .join('');
}

function convertReference(content: string, inCode: boolean, target: TextTarget): string {
  const bar = content.indexOf('|');
  const subject = bar < 0 ? content : content.slice(0, bar);
  const label = bar < 0 ? '' : unescaped(content.slice(bar + 1));
  if (/^@[UWB][A-Z0-9]+$/.test(subject)) return target.mention(subject.slice(1));
  if (subject.startsWith('@')) return label ? `@${label.replace(/^@/, '')}` : unescaped(subject);
  if (subject.startsWith('#')) return `#${label || subject.slice(1)}`;
  if (/^!(channel|here|everyone)$/.test(subject)) return target.room();
  // Groups of users and dates carry what they look like.
  if (subject.startsWith('!')) return label || subject.slice(1);
  const url = unescaped(subject);
  if (!/^[a-z][a-z0-9+.-]*:/i.test(url)) return unescaped(`<${content}>`);
  if (!label || label === url) return url;
  if (inCode) return label;
  return `[${label.replace(/[[\]\\]/g, '\\$&')}](${url.replaceAll('(', '%28').replaceAll(')', '%29').replaceAll(' ', '%20')})`;
}
