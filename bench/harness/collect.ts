// Loaded before a server whose memory is measured (`node --expose-gc --import collect.ts server.ts`): throws away what is
// garbage when it is told to, for what of it stays around is chance.
process.on('SIGUSR2', () => {
  for (let pass = 0; pass < 3; pass++) globalThis.gc?.();
});
