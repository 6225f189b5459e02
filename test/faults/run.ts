import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

// npm run test:faults -- [--minutes N]

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '0' } } });
if (!(Number(values.minutes) >= 0)) throw new Error('--minutes: a number of minutes');
const { status } = spawnSync('vitest', ['run', '--config', '.config/vitest.ts', 'test/faults/'], {
  stdio: 'inherit',
  env: { ...process.env, FAULTS_MINUTES: values.minutes },
});
process.exit(status ?? 1);
