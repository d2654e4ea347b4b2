// Shows what arrives from the room: messages on the stage, in the list and as banners, and signals.

import { type Hidden } from '../chat/hidden.ts';
import { type Pin } from '../chat/pin.ts';
import { type PollPanel } from '../chat/poll.ts';
import { type Composer } from '../compose/composer.ts';
import { heldKey, PICTURE, quotable } from '../log/entry.ts';
import { type List } from '../log/list.ts';
import { type Senders } from '../log/senders.ts';
import { type Ticker } from '../money/ticker.ts';
import { type Kept } from '../settings/settings.ts';
import { type Banners } from '../stage/banners.ts';
import { type Stage } from '../stage/stage.ts';
import { type Announcement } from './announcement.ts';
import { count, isolated, roleKey, t } from './i18n.ts';
import { type Body, type Post, type Signal, type Style, type Written } from '@barrage/client';
import { readBody, readPoll, readVotes } from '@barrage/client/read';

export interface Parts {
  stage: Stage;
  banners: Banners;
  list: List;
  senders: Senders;
  ticker: Ticker;
  pin: Pin;
  poll: PollPanel;
  hidden: Hidden;
  composer: Composer;
  kept: Kept;
  announcement: Announcement;
}

export interface ViewEvents {
  user(): string | null;
  name(): string;
  /** The room has given this viewer another role. */
  roleChanged(): void;
  /** The room has other emotes. */
  emotes(): void;
}

export class View {
  constructor(
    private readonly parts: Parts,
    private readonly events: ViewEvents,
  ) {}

  /** Shows one message of the room at its position. */
  show(body: Body, sequence: number): void {
    if (body.type === 'signal') return this.signal(body, sequence);
    if (body.type === 'event') {
      const { event, id, data, at_ms } = body;
      window.dispatchEvent(new CustomEvent('barrage:event', { detail: { event, id, data, at_ms, sequence } }));
      return;
    }
    const { list, senders } = this.parts;
    senders.saw(body.user, body.name, sequence, body.attrs?.avatar);
    if (this.shows(body, sequence)) this.#fly(body, sequence);
    list.add(body, sequence, this.#originOf(body.user));
  }

  /** Whether this viewer sees a message: own ones always, others unless they are blocked or hidden. */
  shows(body: Written, sequence: number | null): boolean {
    if (sequence !== null && this.parts.hidden.has(body.user, sequence)) return false;
    if (this.#originOf(body.user) === 'own') return true;
    return !this.parts.kept.hides(body.user, quotable(body));
  }

  /** Shows a message that only its sender sees. */
  held(post: Post, id: string, rule: string): void {
    if (post.type !== 'chat') return;
    const { stage, list } = this.parts;
    // The page shows the reply's author only where the server has named it.
    const { type, text } = post;
    const style: Style = { mode: 'scroll', size: 'normal', color: 0xffffff, ...post.style };
    // A picture is not known here: the post has a reference alone.
    const body = { type, id, text: text === '' ? PICTURE : text, style, user: this.events.user() ?? '', name: this.events.name(), at_ms: Date.now() };
    stage.fly(body, null, 'own');
    list.add(body, null, 'own', heldKey(rule));
  }

  /** Shows a signal of the room, or of a notice, which has no position in the room. */
  signal(signal: Signal, at: number | null): void {
    const isOwn = signal.user !== undefined && signal.user === this.events.user();
    if (this.#hides(signal, at) || this.#rules(signal)) return;
    switch (signal.signal) {
      case 'emotes':
        return this.events.emotes();
      case 'pin':
      case 'unpin':
      case 'poll_open':
      case 'poll_close':
        return this.#panels(signal);
      case 'announcement':
        this.parts.announcement.show(signal.text ?? '');
        return this.parts.list.quote(signal.text ?? '');
      case 'role':
        if (!isOwn) return;
        this.events.roleChanged();
        return this.#sayRole(signal.role);
      case 'warn':
        if (isOwn) this.parts.announcement.show(signal.text ?? '');
        return;
      case 'mute':
        if (isOwn && signal.until_ms) this.parts.composer.muteUntil(signal.until_ms);
        return;
      case 'unmute':
        if (!isOwn) return;
        this.parts.composer.unmute();
        this.parts.list.say('unmuted');
    }
  }

  #fly(body: Written, sequence: number): void {
    const { stage, banners, ticker } = this.parts;
    const origin = this.#originOf(body.user);
    switch (body.type) {
      case 'chat':
        return stage.fly(body, sequence, origin);
      case 'gift':
        // Only the first gift of a combo is shown on the stage; its banner counts the others.
        if (banners.gift(body)) {
          const words = t('gave', { name: isolated(body.name), gift: isolated(body.gift.name), count: count(body.gift.count) });
          stage.flyPaid(words, body.user, sequence, origin);
        }
        return;
      case 'super_chat':
        banners.superChat(body);
        ticker.add(body, sequence);
        stage.flyPaid(body.text, body.user, sequence, origin);
    }
  }

  /** Takes away what a signal hides. Returns whether the signal was one of these. */
  #hides(signal: Signal, at: number | null): boolean {
    const { stage, banners, list, ticker, pin, hidden } = this.parts;
    switch (signal.signal) {
      case 'recall':
        if (signal.sequence === undefined) return true;
        for (const part of [stage, list, ticker, pin]) part.recall(signal.sequence);
        return true;
      case 'purge':
        if (signal.user === undefined || at === null) return true;
        hidden.purge(signal.user, at);
        for (const part of [stage, banners, ticker]) part.hide(signal.user);
        list.purge(signal.user);
        pin.purge(signal.user);
        return true;
      case 'clear':
        if (at === null) return true;
        hidden.clear(at);
        for (const part of [stage, banners, ticker]) part.hide(null);
        list.clear();
        pin.hide();
        list.say('cleared');
        return true;
      default:
        return false;
    }
  }

  /** Says which rules hold from now on. Returns whether the signal was one of these. */
  #rules(signal: Signal): boolean {
    const { list } = this.parts;
    switch (signal.signal) {
      case 'mute_all':
        list.say(signal.on ? 'muteAll' : 'unmuteAll');
        return true;
      case 'slow_mode':
        if (signal.secs) list.say('slowMode', { secs: signal.secs });
        else list.say('slowModeOff');
        return true;
      case 'speak':
        list.say(signal.shield ? 'shieldUp' : 'speakRules');
        return true;
      case 'close':
        list.say('closed');
        return true;
      default:
        return false;
    }
  }

  #panels(signal: Signal): void {
    const { pin, poll } = this.parts;
    if (signal.signal === 'unpin') return pin.hide();
    if (signal.signal === 'pin') {
      const body = readBody(signal.message);
      if (body && signal.sequence !== undefined) pin.show(body, signal.sequence);
      return;
    }
    const about = readPoll(signal.poll);
    if (!about) return;
    if (signal.signal === 'poll_open') poll.open(about);
    else poll.close(about, readVotes((signal.poll as { votes?: unknown }).votes));
  }

  #sayRole(role: string | undefined): void {
    const key = roleKey(role);
    if (key) this.parts.list.say('roleGiven', { role: t(key) });
    else this.parts.list.say('roleTaken');
  }

  #originOf(user: string): 'own' | 'other' {
    return user !== '' && user === this.events.user() ? 'own' : 'other';
  }
}
