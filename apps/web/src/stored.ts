import { shallowRef, watch, type ShallowRef } from 'vue';

/**
 * A value that this browser keeps, and that its other tabs see too. Replace the value; changes inside it are not seen.
 *
 * `read` makes a value of what was kept, which may be anything: an older version of the page wrote it, or a person. It
 * gets undefined where nothing was kept. Where the browser keeps nothing (storage is blocked or full), the value lives
 * as long as the page.
 */
export function stored<T>(key: string, read: (kept: unknown) => T): ShallowRef<T> {
  const value = shallowRef(read(load(key)));
  watch(
    value,
    (next) => {
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        // Blocked or full: see above.
      }
    },
    // At once: what a request depends on has to be kept before it is sent.
    { flush: 'sync' },
  );
  window.addEventListener('storage', (event) => {
    if (event.key === key || event.key === null) {
      value.value = read(load(key));
    }
  });
  return value;
}

function load(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is an object with these members, each of the type that `typeof` gives. */
export function hasShape(value: unknown, members: Record<string, 'string' | 'number' | 'object'>): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(members).every(([name, type]) => typeof (value as Record<string, unknown>)[name] === type)
  );
}
