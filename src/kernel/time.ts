const dayLength = 86_400_000;
const two = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
const three = Array.from({ length: 1_000 }, (_, value) => String(value).padStart(3, '0'));

let lastDay = Number.NaN;
/** Of the last day that was written, up to and with the `T`. */
let lastDayText = '';

/**
 * As `toISOString`, in a third of the time: the times of an answer are mostly of one day.
 * @throws RangeError for a date that is none.
 */
export function writeTime(date: Date): string {
  const time = date.getTime();
  const day = Math.floor(time / dayLength);
  if (day !== lastDay) {
    const text = date.toISOString();
    lastDayText = text.slice(0, text.indexOf('T') + 1);
    lastDay = day;
  }
  const rest = time - day * dayLength;
  const seconds = Math.floor(rest / 1_000);
  const minutes = Math.floor(seconds / 60);
  const hour = Math.floor(minutes / 60);
  return `${lastDayText}${two[hour]}:${two[minutes % 60]}:${two[seconds % 60]}.${three[rest % 1_000]}Z`;
}
