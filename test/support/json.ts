/** What stands at a path such as `rooms.nodes.0.id` of an answer; undefined if there is nothing. */
export function at(value: unknown, path: string): unknown {
  let current = value;
  for (const key of path.split('.')) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Reflect.get(current, key);
  }
  return current;
}

/** @throws Error that shows the answer, when there is no text at the path. */
export function textAt(value: unknown, path: string): string {
  const found = at(value, path);
  if (typeof found !== 'string') throw new Error(`no text at ${path} of ${JSON.stringify(value)}`);
  return found;
}

/** @throws Error that shows the answer, when there is no list at the path. */
export function listAt(value: unknown, path: string): unknown[] {
  const found = at(value, path);
  if (!Array.isArray(found)) throw new Error(`no list at ${path} of ${JSON.stringify(value)}`);
  return found;
}
