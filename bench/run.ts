import { fanOut } from './cases/fanOut.ts';
import { growth } from './cases/growth.ts';
import { importing } from './cases/import.ts';
import { manyRooms } from './cases/manyRooms.ts';
import { memory } from './cases/memory.ts';
import { paced } from './cases/paced.ts';
import { page } from './cases/page.ts';
import { purge } from './cases/purge.ts';
import { roomList } from './cases/roomList.ts';
import { send } from './cases/send.ts';
import { storm } from './cases/storm.ts';
import { round, type Section, writeSection } from './harness/results.ts';

/** Each measures one thing, tells on the way what it does, and gives its part of `bench/results.md`. */
const cases: Readonly<Record<string, (print: (line: string) => void) => Promise<Section>>> = {
  page,
  roomList,
  send,
  fanOut,
  paced,
  manyRooms,
  memory,
  storm,
  growth,
  import: importing,
  purge,
};

const names = Object.keys(cases);
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(cases, name));
if (unknown !== undefined) {
  console.error(`there is no case ${unknown}: ${names.join(', ')}`);
  process.exit(1);
}
// The services do not keep the program alive, also not while it waits for their end.
const alive = setInterval(() => undefined, 60_000);
for (const [name, run] of Object.entries(cases)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`## ${name}`);
  const started = performance.now();
  const section = await run((line) => console.log(line));
  await writeSection(name, names, section);
  for (const { what, against, ratio } of section.rows)
    console.log(`=> ${what} against ${against}: ${round(ratio.median)}`);
  console.log(`(${((performance.now() - started) / 1000).toFixed(0)} s)`);
}
clearInterval(alive);
process.exit();
