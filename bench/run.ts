import { purge } from './cases/purge.ts';

const cases: Readonly<Record<string, (print: (line: string) => void) => Promise<void>>> = { purge };

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(cases, name));
if (unknown !== undefined) {
  console.error(`there is no case ${unknown}: ${Object.keys(cases).join(', ')}`);
  process.exit(1);
}
// The services do not keep the program alive, also not while it waits for their end.
const alive = setInterval(() => undefined, 60_000);
for (const [name, run] of Object.entries(cases)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`## ${name}`);
  await run((line) => console.log(line));
}
clearInterval(alive);
