// What a device knows of its user's inbox: version, conversations and unread numbers. Mail and answers of
// `GET /v1/inbox` fill it; docs/reference/protocol.md has the rules, and services/client/vectors/inbox.json tests them.

export interface Item {
  position: number;
  sender: string;
  at_ms: number;
  /** Id that the sender chose; in own items alone. */
  id?: string;
  /** Absent in an item that recalls another. */
  kind?: 'text' | 'sticker' | 'image' | 'file';
  body?: Record<string, unknown>;
  /** Position of the item that this one recalls. */
  recalls?: number;
  recalled?: boolean;
}

/** A conversation as its user sees it. */
export interface Conversation {
  conversation: string;
  kind: 'direct' | 'group';
  peer?: string;
  group?: { title: string; room?: string };
  members?: number;
  role?: 'banned' | 'applicant' | 'muted' | 'member' | 'moderator' | 'owner';
  /** Position of the newest item. */
  head: number;
  at_ms: number;
  unread: number;
  /** Position up to which the user has read. */
  read: number;
  peer_read?: number;
  folder?: 'main' | 'request' | 'archived';
  notify?: 'all' | 'mention' | 'none';
  pinned?: boolean;
  marked?: boolean;
  /** The user reads items after this position. */
  after?: number;
  /** The user has left, and reads items up to this position. */
  left?: number;
  deleted?: boolean;
  mentions?: number[];
  items?: Item[];
}

/** A place in a conversation. */
export interface Place {
  conversation: string;
  position: number;
}

/** A letter that was accepted and has no effect. */
export interface Undelivered {
  conversation: string;
  id: string;
  reason: string;
  at_ms: number;
}

interface News {
  conversations?: Conversation[];
  hidden?: Place[];
  undelivered?: Undelivered[];
}

/** Answer of `GET /v1/inbox`. */
export interface Answer extends News {
  cursor: string;
  version: number;
  unread: number;
  reset?: boolean;
  more?: boolean;
}

/** News of a group, the same for all members. */
interface GroupNews {
  conversation: string;
  items: Item[];
  /** Title and rules, where they have changed. */
  group?: Conversation['group'];
  deleted?: boolean;
}

/** A frame of the inbox on the connection of a room. */
export type MailFrame =
  | { type: 'attached'; user: string }
  | ({ type: 'mail'; previous?: number; version?: number; unread_direct?: number; groups?: GroupNews[] } & News)
  | { type: 'bell'; version?: number; spread_ms?: number };

export class Book {
  version = 0;
  /** Unread items of the direct conversations that count. */
  direct = 0;
  rows = new Map<string, Conversation>();

  constructor(readonly user: string) {}

  /** Unread items of all conversations that count. */
  get unread(): number {
    return this.direct + this.#inGroups();
  }

  /** Takes an answer. Returns the time within which to ask again, or null where nothing is missing. */
  answered(answer: Answer): number | null {
    if (answer.reset) {
      this.version = this.direct = 0;
      this.rows.clear();
    }
    // Mail has overtaken it: its rows are older.
    if (answer.version < this.version) return 0;
    for (const row of answer.conversations ?? []) this.#set(row);
    this.version = answer.version;
    this.direct = Math.max(0, answer.unread - this.#inGroups());
    return answer.more ? 0 : null;
  }

  /** Takes a frame. Returns the time within which to ask, or null where nothing is missing. */
  take(frame: MailFrame): number | null {
    if (frame.type === 'attached') return 0;
    if (frame.type === 'bell') return frame.version !== undefined && frame.version <= this.version ? null : (frame.spread_ms ?? 0);
    const { previous, version } = frame;
    if (previous !== undefined && version !== undefined && version > this.version) {
      if (previous > this.version) return 0;
      for (const row of frame.conversations ?? []) this.#set(row);
      this.version = version;
      this.direct = frame.unread_direct ?? this.direct;
    }
    return (frame.groups ?? []).every((group) => this.#group(group)) ? null : 0;
  }

  /** Replaces a row. What a change leaves out is as before. */
  #set({ items: _, ...row }: Conversation): void {
    const known = this.rows.get(row.conversation);
    const mentions = row.mentions ?? known?.mentions?.filter((position) => position > row.read);
    const peer = row.peer ?? known?.peer;
    const peerRead = Math.max(row.peer_read ?? 0, known?.peer_read ?? 0);
    this.rows.set(row.conversation, {
      ...row,
      ...(peer === undefined ? {} : { peer }),
      ...(peerRead ? { peer_read: peerRead } : {}),
      ...(mentions?.length ? { mentions } : {}),
    });
  }

  /** Takes news of a group. The positions of its items are dense. Returns false where something is missing before them. */
  #group({ conversation, items, group, deleted }: GroupNews): boolean {
    const row = this.rows.get(conversation);
    if (!row || !isPresent(row)) return false;
    for (const { position, kind, sender, at_ms, body } of items) {
      if (position > row.head + 1) return false;
      if (position <= row.head) continue;
      row.head = position;
      row.at_ms = at_ms;
      if (kind === undefined || sender === this.user) continue;
      row.unread += 1;
      const mentioned = body?.mentions;
      if (Array.isArray(mentioned) && mentioned.includes(this.user)) row.mentions = [position, ...(row.mentions ?? [])];
    }
    if (group) row.group = group;
    if (deleted) Object.assign(row, { deleted, unread: 0 });
    return true;
  }

  #inGroups(): number {
    let sum = 0;
    for (const row of this.rows.values()) if (row.kind === 'group' && counts(row)) sum += row.unread;
    return sum;
  }
}

export function isPresent({ left, deleted, role }: Conversation): boolean {
  return left === undefined && !deleted && role !== 'banned' && role !== 'applicant';
}

/** Whether a conversation counts in the total. */
export function counts(row: Conversation): boolean {
  return isPresent(row) && (row.folder ?? 'main') === 'main' && (row.notify ?? 'all') === 'all';
}
