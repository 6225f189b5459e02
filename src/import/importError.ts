/** Why nothing was imported: one line for whoever started the import. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
}
