import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

test('P6 the image starts the server as `npm start` does, with the same flags of Node.js', () => {
  const manifest = z.object({ scripts: z.object({ start: z.string() }) }).parse(JSON.parse(read('package.json')));
  const ofImage: unknown = JSON.parse(/^CMD (\[.*\])$/m.exec(read('Dockerfile'))?.[1] ?? '[]');
  expect(ofImage).toEqual(manifest.scripts.start.replace('exec ', '').split(' '));
});
