// What an erase takes from a user's inbox, counted in its export. Pure but for the reading.

/** Numbers of one user's inbox. */
export interface Census {
  /** Items that the user wrote, whose bodies would go. */
  items: number;
  conversations: number;
  /** Groups that the user is in and leaves. */
  groups: number;
  /** Titles of groups that the user owns, which would be deleted. */
  owned: string[];
  blocks: number;
  /** The export was longer than what was read: the numbers are at least these. */
  isCut: boolean;
}

/** Bytes of an export that are counted. */
const BYTES_MAX = 16 << 20;

interface Line {
  line?: string;
  sender?: string;
  recalled?: boolean;
  body?: unknown;
  kind?: string;
  role?: string;
  left?: number;
  deleted?: boolean;
  group?: { title?: string };
  blocked?: unknown[];
}

/** Counts a line of an export. */
export function countLine(census: Census, user: string, json: string): void {
  const line = JSON.parse(json) as Line;
  if (line.line === 'user') census.blocks = line.blocked?.length ?? 0;
  if (line.line === 'item' && line.sender === user && line.body !== undefined) census.items += 1;
  if (line.line === 'error') census.isCut = true;
  if (line.line !== 'conversation') return;
  census.conversations += 1;
  if (line.kind !== 'group' || line.left !== undefined || line.deleted) return;
  if (line.role === 'owner') census.owned.push(line.group?.title ?? '');
  else census.groups += 1;
}

/** Reads an export to its end, or to the bound. */
export async function takeCensus(user: string, stream: ReadableStream<Uint8Array>): Promise<Census> {
  const census: Census = { items: 0, conversations: 0, groups: 0, owned: [], blocks: 0, isCut: false };
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let [rest, bytes] = ['', 0];
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) countLine(census, user, line);
    bytes += value?.length ?? 0;
    if (done) return census;
    if (bytes <= BYTES_MAX) continue;
    await reader.cancel();
    return { ...census, isCut: true };
  }
}
