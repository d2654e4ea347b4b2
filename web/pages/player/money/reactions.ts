// Likes and reactions: buttons that sum quick clicks into one post, and what the whole room has sent.

import { byId, element, icon } from '@barrage/ui/dom.ts';
import { Api, ApiFailure } from '@barrage/ui/api.ts';
import { type Post, type Room } from '@barrage/client';
import { count, inLanguage, isKey, t } from '../page/i18n.ts';

/** Clicks within this time are one post. */
const WINDOW_MS = 500;
/** Clicks of one post, as the server counts. */
const CLICKS_MAX = 1_000;
/** Symbols that rise over the stage at once, at most. */
const RISING_MAX = 24;
/** Symbols of one pulse, at most. */
const RISING_PER_PULSE = 4;
/** Reactions to show until the server has told its own. */
const USUAL = ['clap', 'fire', 'laugh', 'wow'];
const SYMBOLS: Record<string, string> = { clap: '👏', fire: '🔥', laugh: '😂', wow: '😮', heart: '💗', cry: '😭', party: '🎉', ok: '👌' };
/** Buttons for reactions, at most: a server may have 32. */
const BUTTONS_MAX = 8;
const NAME = /^[a-z0-9_]{1,16}$/u;

export interface ReactionEvents {
  /** Sends likes or reactions. Returns whether the server took them, or the code of its refusal. */
  send(post: Post): Promise<string | null>;
}

/** Loads the names of the server's reactions; null where no server tells them. */
export async function loadReactions(room: Room): Promise<string[] | null> {
  for (const base of await room.uplinks()) {
    try {
      const { reactions } = await new Api(null, base).get<{ reactions?: unknown }>('/v1/reactions');
      return Array.isArray(reactions) ? reactions.filter((name): name is string => typeof name === 'string') : null;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      // A server of an earlier release has no such list.
      if (error.kind !== 'network') return null;
    }
  }
  return null;
}

export class Reactions {
  #likes = 0;
  #waiting = new Map<string, number>();
  #buttons = new Map<string, HTMLButtonElement>();

  constructor(private readonly events: ReactionEvents) {
    byId('like').addEventListener('click', () => this.#click('like'));
    for (const name of USUAL) this.#add(name);
    inLanguage(() => {
      byId('likes').textContent = count(this.#likes);
    });
  }

  /** Takes the reactions of the server, in its order. */
  offer(names: readonly string[]): void {
    for (const button of this.#buttons.values()) button.remove();
    const { disabled } = byId<HTMLButtonElement>('like');
    this.#buttons.clear();
    for (const name of names) if (NAME.test(name)) this.#add(name);
    this.enable(!disabled);
  }

  enable(open: boolean): void {
    byId<HTMLButtonElement>('like').disabled = !open;
    for (const button of this.#buttons.values()) button.disabled = !open;
  }

  /** Adds to the sums of the whole room since this page was opened. */
  pulse(likes: number, reactions: Record<string, unknown>): void {
    if (likes > 0) {
      this.#likes += likes;
      byId('likes').textContent = count(this.#likes);
    }
    let rising = RISING_PER_PULSE;
    for (const [name, sum] of Object.entries(reactions).slice(0, BUTTONS_MAX)) {
      if (!NAME.test(name) || typeof sum !== 'number') continue;
      this.#add(name);
      for (let n = 0; n < sum && rising > 0; n += 1, rising -= 1) rise(name);
    }
  }

  #add(name: string): void {
    if (this.#buttons.has(name) || this.#buttons.size >= BUTTONS_MAX) return;
    const button = element('button', 'react', symbolOf(name));
    button.type = 'button';
    button.dataset['reaction'] = name;
    button.addEventListener('click', () => this.#click(name));
    inLanguage(() => {
      const key = `react_${name}`;
      const label = isKey(key) ? t(key) : name;
      button.setAttribute('aria-label', label);
      button.title = label;
    });
    this.#buttons.set(name, button);
    byId('reactions').append(button);
  }

  #click(name: string): void {
    rise(name);
    const clicks = Math.min((this.#waiting.get(name) ?? 0) + 1, CLICKS_MAX);
    this.#waiting.set(name, clicks);
    if (clicks === 1) setTimeout(() => void this.#send(name), WINDOW_MS);
  }

  async #send(name: string): Promise<void> {
    const clicks = this.#waiting.get(name) ?? 0;
    this.#waiting.delete(name);
    const refused = await this.events.send(name === 'like' ? { type: 'like', count: clicks } : { type: 'reaction', name, count: clicks });
    // The server has other reactions: it names them in its pulses.
    if (refused !== 'bad_request' || name === 'like') return;
    this.#buttons.get(name)?.remove();
    this.#buttons.delete(name);
  }
}

function symbolOf(name: string): string {
  return Object.hasOwn(SYMBOLS, name) ? SYMBOLS[name]! : name;
}

/** Lets a symbol rise over the stage. */
function rise(name: string): void {
  const place = byId('hearts');
  if (document.hidden || place.childElementCount >= RISING_MAX) return;
  const heart = element('span', 'heart', name === 'like' ? icon('heart') : symbolOf(name));
  heart.style.setProperty('--drift', `${Math.round((Math.random() - 0.5) * 60)}px`);
  heart.style.setProperty('--hue', String(330 + Math.round(Math.random() * 40)));
  heart.addEventListener('animationend', () => heart.remove());
  place.append(heart);
}
