// The picture of the next message: the button is there where the room lets this viewer send pictures, and what it needs is
// loaded then.

import { type TokenSource } from '@barrage/client';
import { byId } from '@barrage/ui/dom.ts';
import { isAtLeast } from '../moderate/actions.ts';
import type { Attachment, Takes } from './attach.ts';
import { loadPictures } from './box.ts';

/** Creates the attachment of a text box; null where the server takes no media, and before the room is known. */
export async function loadAttachment(token: TokenSource, text: HTMLElement, takes: Takes): Promise<Attachment | null> {
  const [pictures, { Attachment: Made }] = await Promise.all([loadPictures(), import('./attach.ts')]);
  if (!pictures) return null;
  const { hosts, pieceBytes } = await pictures.hosts();
  // A server without media says so in entry.
  return hosts.length === 0 ? null : new Made(token, hosts, pieceBytes, text, takes);
}

export class Attaching {
  #attachment: Attachment | null = null;
  #isAllowed = false;
  #isLoading = false;

  /** Without a token there is no button: guests may not upload. */
  constructor(private readonly token: TokenSource | undefined) {}

  /** Takes the rule of the room: the least role that may send pictures. */
  rule(least: unknown, role: string): void {
    this.#isAllowed = typeof least === 'string' && least !== 'off' && isAtLeast(role, least);
    this.#attachment?.allow(this.#isAllowed);
    if (this.#isAllowed && !this.#attachment && this.token) void this.#load(this.token);
  }

  /** Reference of the picture that goes with the next text; null for none. */
  get reference(): string | null {
    return this.#attachment?.reference ?? null;
  }

  get isBusy(): boolean {
    return this.#attachment?.isBusy ?? false;
  }

  /** The picture was sent. */
  sent(): void {
    this.#attachment?.clear();
  }

  async #load(token: TokenSource): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const made = await loadAttachment(token, byId('text'), 'shown').catch(() => null);
    this.#isLoading = false;
    if (!made) return;
    this.#attachment = made;
    made.button.id = 'picture-button';
    made.input.id = 'picture-file';
    byId('suggestions').before(made.bar);
    byId('emote-button').before(made.button, made.input);
    made.allow(this.#isAllowed);
  }
}
