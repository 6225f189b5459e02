import { findOrInstall, isExecutable, onPath } from './programs.ts';

/**
 * The path of a Chromium or Chrome, for playwright-core's `executablePath` (as root it also needs `--no-sandbox`).
 * @throws Error of one sentence where there is none on this machine and it cannot be installed.
 */
export async function findChromium(): Promise<string> {
  const named = process.env.TEST_CHROMIUM;
  if (named && !(await isExecutable(named))) throw new Error(`TEST_CHROMIUM names no program: ${named}`);
  return named || findOrInstall(installedChromium, { what: 'Chromium', debian: 'chromium', setting: 'TEST_CHROMIUM' });
}

async function installedChromium(): Promise<string | undefined> {
  const found = await onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
  if (found) return found;
  const onMac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
  return (await isExecutable(onMac)) ? onMac : undefined;
}
