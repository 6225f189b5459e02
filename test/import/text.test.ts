import { expect, test } from 'vitest';
import { convertText, cut } from '../../src/import/slack.text.ts';

const convert = (text: string) => convertText(text, { mention: (id) => `[${id}]`, room: () => '<!room>' });

test.each([
  ['a <@U1> b <@U2|max> <@B3>', 'a [U1] b [U2] [B3]'],
  ['<@alice> <@alice|Al>', '@alice @Al'],
  ['<!channel> <!here|here> <!everyone>', '<!room> <!room> <!room>'],
  ['<#C1|general> <#C2>', '#general #C2'],
  ['<!subteam^S1|@devs> <!date^1392734382^{date}|Feb 18>', '@devs Feb 18'],
  ['<https://x.org?a=1&amp;b=2>', 'https://x.org?a=1&b=2'],
  ['<https://x.org|https://x.org>', 'https://x.org'],
  ['<https://x.org/a_(b)|see [1]>', '[see \\[1\\]](https://x.org/a_%28b%29)'],
  ['<mailto:a@b.c|a@b.c>', '[a@b.c](mailto:a@b.c)'],
  ['`<http://x.y|x.y>` and ```<http://x.y|x.y>\n&lt;```', '`x.y` and ```x.y\n<```'],
  ['1 &lt; 2 &gt; 0 &amp; &amp;lt;', '1 < 2 > 0 & &lt;'],
  ['not <a reference', 'not <a reference'],
  ['<b|c>', '<b|c>'],
  ['nul\u0000 half \ud800.', 'nul half \ufffd.'],
])('T14 %j reads %j', (slack, prosa) => {
  expect(convert(slack)).toBe(prosa);
});

test('T14 a cut text has so many code points, and no half of one', () => {
  expect(cut('a😀😀', 2)).toBe('a😀');
  expect(cut('😀😀', 2)).toBe('😀😀');
  expect(cut('abc', 3)).toBe('abc');
});
