// Likes and reactions: buttons that sum quick clicks into one post, and what the whole room has sent.

import { byId, element, icon } from '@barrage/ui/dom.ts';
import { REACTION_NAME, REACTIONS_MAX, symbolOf } from '@barrage/ui/reactions.ts';
import { type Post } from '@barrage/client';
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

export interface ReactionEvents {
  /** Sends likes or reactions. Returns whether the server took them, or the code of its refusal. */
  send(post: Post): Promise<string | null>;
}

export class Reactions {
  #likes = 0;
  #waiting = new Map<string, number>();
  #buttons = new Map<string, HTMLButtonElement>();
  #platform: readonly string[] = USUAL;
  /** The room's own set; null while it has the platform's. */
  #own: readonly string[] | null = null;
  /** Whether the server has told what it offers: one of an earlier release names it in pulses alone. */
  #isTold = false;

  constructor(private readonly events: ReactionEvents) {
    byId('like').addEventListener('click', () => this.#click('like'));
    this.#show();
    inLanguage(() => {
      byId('likes').textContent = count(this.#likes);
      for (const [name, button] of this.#buttons) label(button, name);
    });
  }

  /** Takes the reactions of the platform, in its order. */
  offer(names: readonly string[]): void {
    this.#platform = names;
    this.#isTold = true;
    this.#show();
  }

  /** Takes the reactions of the room; null gives it those of the platform. */
  own(names: readonly string[] | null): void {
    if (JSON.stringify(names) === JSON.stringify(this.#own)) return;
    this.#own = names;
    this.#show();
  }

  #show(): void {
    const { disabled } = byId<HTMLButtonElement>('like');
    for (const button of this.#buttons.values()) button.remove();
    this.#buttons.clear();
    for (const name of this.#own ?? this.#platform) this.#add(name);
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
    for (const [name, sum] of Object.entries(reactions).slice(0, REACTIONS_MAX)) {
      if (!REACTION_NAME.test(name) || typeof sum !== 'number') continue;
      if (!this.#isTold && this.#own === null) this.#add(name);
      for (let n = 0; n < sum && rising > 0; n += 1, rising -= 1) rise(name);
    }
  }

  #add(name: string): void {
    if (!REACTION_NAME.test(name) || this.#buttons.has(name) || this.#buttons.size >= REACTIONS_MAX) return;
    const button = element('button', 'react', symbolOf(name));
    button.type = 'button';
    button.dataset['reaction'] = name;
    button.addEventListener('click', () => this.#click(name));
    label(button, name);
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

function label(button: HTMLButtonElement, name: string): void {
  const key = `react_${name}`;
  const words = isKey(key) ? t(key) : name;
  button.setAttribute('aria-label', words);
  button.title = words;
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
