import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // Only Vite's own cache: the tests import sources that Node could run as they are.
  cacheDir: 'node_modules/.cache/vitest',
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/globalSetup.ts'],
    // Each file in a process of its own, so that a server that a test leaves behind cannot disturb the next one.
    pool: 'forks',
    // Modules are loaded by Node, as in the server: Vite would load a second copy of graphql beside that of the libraries.
    experimental: { viteModuleRunner: false },
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
