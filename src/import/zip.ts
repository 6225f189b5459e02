import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { ImportError } from './importError.ts';

/**
 * A file of the archive may unpack to this much, and no more: a few kilobytes of zip can claim to be terabytes. A day of
 * the busiest room is a few megabytes.
 */
const maxEntryBytes = 256 * 1024 * 1024;

/** A zip file whose table of contents has been read; its entries are unpacked in memory one at a time, never to disk. */
export interface Archive {
  /** Paths of the files in it, with `/` between folders; folders themselves are left out. */
  readonly paths: readonly string[];
  /** The size of one once it is unpacked, as the table of contents says. */
  sizeOf(path: string): number;
  /** @throws Error saying what is wrong with this one entry. */
  read(path: string): Promise<Buffer>;
  close(): void;
}

/**
 * Opens a zip file and reads its table of contents.
 * @throws ImportError when it is missing, not a zip, cut short, or names files outside of itself.
 */
export async function openArchive(file: string): Promise<Archive> {
  const zip = await openZip(file);
  try {
    const entries = await readEntries(zip);
    return {
      paths: [...entries.keys()],
      sizeOf: (path) => entries.get(path)?.uncompressedSize ?? 0,
      async read(path) {
        const entry = entries.get(path);
        if (!entry) throw new Error('is not in the zip file');
        return unpack(zip, entry);
      },
      close: () => zip.close(),
    };
  } catch (error) {
    zip.close();
    throw new ImportError(`${file} cannot be read as a zip file: ${reasonOf(error)}`);
  }
}

async function openZip(file: string): Promise<ZipFile> {
  try {
    return await openPromise(file, { lazyEntries: true, autoClose: false });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new ImportError(`${file} is missing`);
    throw new ImportError(`${file} cannot be read as a zip file: ${reasonOf(error)}`);
  }
}

async function readEntries(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  // yauzl refuses absolute paths and those that climb out of the archive.
  for await (const entry of zip.eachEntry()) if (!entry.fileName.endsWith('/')) entries.set(entry.fileName, entry);
  return entries;
}

async function unpack(zip: ZipFile, entry: Entry): Promise<Buffer> {
  if (entry.isEncrypted()) throw new Error('is encrypted');
  if (entry.uncompressedSize > maxEntryBytes) {
    throw new Error(`unpacks to ${entry.uncompressedSize} bytes, more than the ${maxEntryBytes} that are taken`);
  }
  const chunks: Buffer[] = [];
  // The size that the table of contents claims may be a lie; yauzl ends the stream with an error where it is.
  for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The first line of what went wrong. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? text;
}
