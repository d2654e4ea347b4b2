// A notification as the server sends it, and as this browser shows it. Texts of people stay texts: notifications have no
// markup.

/** What the server says in a notification; services/push/src/note.rs writes it. */
export interface Note {
  kind: 'letter' | 'mention' | 'live';
  title: string;
  body: string;
  /** Notifications of the same conversation or stream replace each other. */
  collapse: string;
  /** Conversation or room that a click opens. */
  opens: string;
  /** Unread items of the user at this moment. */
  badge: number;
}

/** What a page gets when one of its notifications was clicked. */
export interface Opening {
  type: 'barrage.open';
  opens: string;
}

const KINDS: ReadonlySet<unknown> = new Set(['letter', 'mention', 'live']);
const TITLE_CHARS_MAX = 120;
const BODY_CHARS_MAX = 400;
const ID_CHARS_MAX = 80;
const ROOM = /^[A-Za-z0-9_-]{1,64}$/;
/** Conversations have a dot in their ids, rooms have none. */
const CONVERSATION = /^[a-z]\.[A-Za-z0-9._-]{1,64}$/;

/** Reads what a push service delivered; null for what no server of Barrage has sent. */
export function readNote(json: unknown): Note | null {
  const note = json as Partial<Record<keyof Note, unknown>> | null;
  if (typeof note !== 'object' || note === null || !KINDS.has(note.kind)) return null;
  const { kind, title, body = '', collapse = '', opens = '', badge = 0 } = note;
  if (typeof title !== 'string' || typeof body !== 'string' || typeof collapse !== 'string' || typeof opens !== 'string') return null;
  return {
    kind: kind as Note['kind'],
    title: cut(title, TITLE_CHARS_MAX),
    body: cut(body, BODY_CHARS_MAX),
    collapse: collapse.slice(0, ID_CHARS_MAX),
    opens: opens.length <= ID_CHARS_MAX ? opens : '',
    badge: Number.isSafeInteger(badge) && Number(badge) > 0 ? Number(badge) : 0,
  };
}

/** Returns how a note is shown. A later one of the same conversation takes the place of the earlier one, and is heard again. */
export function shownAs({ title, body, collapse, opens, kind }: Note): { title: string; options: NotificationOptions & { renotify: boolean } } {
  const tag = collapse === '' ? kind : collapse;
  return { title: title === '' ? 'Barrage' : title, options: { body, tag, renotify: true, icon: './icon.svg', data: { opens } } };
}

/** Returns the address of what a click opens, within the player page; the page itself for anything else. */
export function addressOf(opens: unknown): string {
  if (typeof opens !== 'string') return './';
  if (isConversation(opens)) return `./?conversation=${encodeURIComponent(opens)}`;
  return ROOM.test(opens) ? `./?room=${encodeURIComponent(opens)}` : './';
}

/** Whether a page at this address can show what a click opens without loading anew. */
export function canOpen(page: string, opens: unknown): boolean {
  if (typeof opens !== 'string') return true;
  const room = new URL(page).searchParams.get('room');
  return isConversation(opens) || room === opens;
}

/** Whether an id is one of a conversation. */
export function isConversation(id: unknown): id is string {
  return typeof id === 'string' && CONVERSATION.test(id);
}

function cut(text: string, chars: number): string {
  const all = [...text];
  return all.length <= chars ? text : `${all.slice(0, chars - 1).join('')}…`;
}
