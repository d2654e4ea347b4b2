// What the views of the inbox share.

import { type Inbox } from '@barrage/client/inbox';
import { type Attachment } from '../media/attach.ts';
import { type Blocks } from './blocks.ts';
import { type Names } from './list/names.ts';
import { type Previews } from './list/previews.ts';

/** The room of this page, for groups that belong to it. */
export interface OwnRoom {
  id: string;
  isLive(): boolean;
  online(): number | null;
}

/** A page of the drawer. */
export interface View {
  readonly node: HTMLElement;
  title(): string;
  /** Line below the title; empty for none. */
  subtitle(): string;
  /** Opens the menu of the view at a button; null for a view without one. */
  readonly menu: ((from: HTMLElement) => void) | null;
  /** Shows what has changed in the inbox. */
  update(): void;
  /** Gives the focus to what a person does first here. */
  focus(): void;
  close(): void;
}

/** Where a view leads. */
export type Place = { kind: 'folder'; folder: 'main' | 'request' | 'archived' } | { kind: 'thread'; thread: Thread } | { kind: 'preferences' };

/** A conversation that exists, or a user to whom nothing was written yet. */
export type Thread = { conversation: string } | { user: string };

export interface Desk {
  inbox: Inbox;
  names: Names;
  previews: Previews;
  blocks: Blocks;
  room: OwnRoom;
  /** Texts that were not sent, by conversation or user. */
  drafts: Map<string, string>;
  go(place: Place): void;
  back(): void;
  /** Loads the picture button of a text box; null where the server takes no pictures. */
  attachment(text: HTMLElement): Promise<Attachment | null>;
  /** Shows a sentence, which screen readers read. */
  say(words: string): void;
  /** The user has written a letter, and may wait for an answer. */
  wrote(): void;
  /** Leaves a group; true when the server took it. */
  leave(conversation: string): Promise<boolean>;
}
