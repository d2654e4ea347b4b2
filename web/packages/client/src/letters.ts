// The inbox of a user, of a room or without one. Apart from the SDK, because a page without letters needs none of it.

export { connectInbox, type ConnectOptions, type InboxConnection, type MailEvents, type MailSource } from './letters/connection.ts';
export { Inbox, openInbox, type Changed, type InboxEvents, type InboxOptions, type Letter, type Preferences, type MediumLetter, type View, type Written } from './letters/inbox.ts';
export { type Conversation, type Item, type MailFrame, type Place, type Undelivered } from './letters/book.ts';
export { MemoryStore, type Change, type InboxStore, type Stand } from './letters/store.ts';
