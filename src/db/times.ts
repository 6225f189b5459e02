let lastDay = '';
/** When it began, in milliseconds. */
let lastDayBegan = 0;

/**
 * A time as PostgreSQL writes it in UTC, in a year of four digits: `2026-11-21 09:30:00.123456+00`, with as many digits of
 * the second as it takes. The times of a page are mostly of one day.
 * @returns null for what is written in any other way.
 */
export function parseUsualTime(text: string): Date | null {
  const zone = text.length - 3;
  const usual = text[4] === '-' && text[10] === ' ' && text.endsWith('+00') && (zone === 19 || text[19] === '.');
  if (!usual) return null;
  const day = text.slice(0, 10);
  if (day !== lastDay) {
    const year = pairAt(text, 0) * 100 + pairAt(text, 2);
    // For years before 100 the parts would be taken for those of the last century.
    if (year < 100) return null;
    lastDayBegan = Date.UTC(year, pairAt(text, 5) - 1, pairAt(text, 8));
    lastDay = day;
  }
  const seconds = (pairAt(text, 11) * 60 + pairAt(text, 14)) * 60 + pairAt(text, 17);
  let milliseconds = seconds * 1_000;
  if (zone > 20) milliseconds += digitAt(text, 20) * 100;
  if (zone > 21) milliseconds += digitAt(text, 21) * 10;
  if (zone > 22) milliseconds += digitAt(text, 22);
  return new Date(lastDayBegan + milliseconds);
}

function digitAt(text: string, index: number): number {
  return text.charCodeAt(index) - 48;
}

function pairAt(text: string, index: number): number {
  return digitAt(text, index) * 10 + digitAt(text, index + 1);
}
