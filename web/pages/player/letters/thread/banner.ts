// The sentence above the text box: who asks to write, or why nothing can be written here.

import { element } from '@barrage/ui/dom.ts';
import { type Conversation } from '@barrage/client/inbox';
import { type Desk } from '../desk.ts';
import { isolated, type Key, t } from '../texts/i18n.ts';
import { whyOf } from '../texts/words.ts';
import { askWhy } from './menus.ts';

export class Banner {
  readonly node = element('div', 'letter-banner');
  #words = element('p', '');
  #acts = element('div', 'line');
  #shown = '';
  /** Whether nothing can be written. */
  closes = false;

  constructor(private readonly desk: Desk) {
    this.node.append(this.#words, this.#acts);
    this.node.hidden = true;
  }

  /** Shows what holds for a conversation, or for a user to whom nothing was written. */
  show(row: Conversation | null, user: string | null): void {
    const peer = row?.peer ?? user;
    const key = this.#keyOf(row, peer);
    this.closes = key !== null && key !== 'requestFrom';
    this.node.hidden = key === null;
    const name = peer === null ? '' : this.desk.names.of(peer);
    const look = `${key}/${name}`;
    if (key === null || this.#shown === look) return;
    this.#shown = look;
    this.#words.textContent = t(key, { name: isolated(name) });
    this.#acts.replaceChildren(...this.#buttons(key, row, peer));
  }

  #keyOf(row: Conversation | null, peer: string | null): Key | null {
    if (peer !== null && this.desk.blocks.has(peer)) return 'blockedHere';
    if (row?.folder === 'request') return 'requestFrom';
    if (row?.deleted) return 'deletedHere';
    if (row?.left !== undefined || row?.role === 'banned') return 'leftHere';
    if (row?.role === 'muted') return 'mutedHere';
    return row?.role === 'applicant' ? 'applicantHere' : null;
  }

  #buttons(key: Key, row: Conversation | null, peer: string | null): HTMLElement[] {
    const { desk } = this;
    if (peer === null) return [];
    if (key === 'blockedHere') return [button('unblock', () => void desk.blocks.unblock(peer))];
    if (key !== 'requestFrom' || !row) return [];
    const accept = async (): Promise<void> => {
      const accepted = await desk.inbox.see(row.conversation, { folder: 'main' });
      if (accepted.kind === 'refused') desk.say(t('failed', { why: whyOf(accepted) }));
    };
    return [button('accept', () => void accept()), button('blockNow', () => void desk.blocks.block(peer)), button('report', (from) => askWhy(peer, row, desk, from))];
  }
}

function button(key: Key, run: (from: HTMLElement) => void): HTMLElement {
  const made = element('button', 'chip', t(key));
  made.type = 'button';
  made.addEventListener('click', () => run(made));
  return made;
}
