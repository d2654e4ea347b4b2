// Stores values in the browser. Where the browser stores none (a sandboxed frame, private settings),
// the values last as long as the page.

type Kind = 'session' | 'local';

function storage(kind: Kind): Storage | null {
  try {
    return kind === 'session' ? sessionStorage : localStorage;
  } catch {
    return null;
  }
}

export function recall(kind: Kind, key: string): string | null {
  try {
    return storage(kind)?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

export function keep(kind: Kind, key: string, value: string | null): void {
  try {
    if (value === null) storage(kind)?.removeItem(key);
    else storage(kind)?.setItem(key, value);
  } catch {
    // The storage is full or forbidden: the value lasts as long as the page.
  }
}
