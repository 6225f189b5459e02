/**
 * A time as PostgreSQL writes it in UTC, in a year of four digits: `2026-11-21 09:30:00.123456+00`, with as many digits of
 * the second as it takes.
 * @returns null for what is written in any other way.
 */
export function parseUsualTime(text: string): Date | null {
  const zone = text.length - 3;
  const usual = text[4] === '-' && text[10] === ' ' && text.endsWith('+00') && (zone === 19 || text[19] === '.');
  if (!usual) return null;
  let milliseconds = 0;
  for (let index = 20, worth = 100; index < zone && worth >= 1; index++, worth /= 10) {
    milliseconds += worth * digitAt(text, index);
  }
  const year = pairAt(text, 0) * 100 + pairAt(text, 2);
  // For years before 100 the parts would be taken for those of the last century.
  if (year < 100) return null;
  const [month, day] = [pairAt(text, 5) - 1, pairAt(text, 8)];
  return new Date(Date.UTC(year, month, day, pairAt(text, 11), pairAt(text, 14), pairAt(text, 17), milliseconds));
}

function digitAt(text: string, index: number): number {
  return text.charCodeAt(index) - 48;
}

function pairAt(text: string, index: number): number {
  return digitAt(text, index) * 10 + digitAt(text, index + 1);
}
