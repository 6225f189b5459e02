import { crc32, deflateRawSync } from 'node:zlib';

/** What to lie about, for tests of what a hostile file may claim. */
interface Lies {
  readonly uncompressedSize?: number;
}

/** A zip file of these entries, uncompressed unless `packed` asks for it. */
export function zipOf(
  files: Readonly<Record<string, string | Buffer>>,
  lies: Readonly<Record<string, Lies>> = {},
  packed = false,
): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of Object.entries(files)) {
    const name = Buffer.from(path);
    const data = Buffer.from(content);
    const claimed = lies[path]?.uncompressedSize;
    // A lie about the size only goes with the method that would unpack to it.
    const method = claimed === undefined && !packed ? 0 : 8;
    const stored = packed ? deflateRawSync(data) : data;
    const sizes = [crc32(data), stored.length, claimed ?? data.length] as const;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(0x0800, 6);
    local.writeUInt16LE(method, 8);
    for (const [index, size] of sizes.entries()) local.writeUInt32LE(size, 14 + 4 * index);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(0x0800, 8);
    entry.writeUInt16LE(method, 10);
    for (const [index, size] of sizes.entries()) entry.writeUInt32LE(size, 16 + 4 * index);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    locals.push(local, name, stored);
    directory.push(entry, name);
    offset += local.length + name.length + stored.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...directory, end]);
}
