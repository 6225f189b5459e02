/**
 * A name as it stands in an object literal of code that is written. Only as a computed name is `__proto__` a name like any
 * other; all others are faster as they are, as V8 then knows the shape of the object before it is made.
 */
export function propertyName(name: string): string {
  return name === '__proto__' ? '["__proto__"]' : JSON.stringify(name);
}
