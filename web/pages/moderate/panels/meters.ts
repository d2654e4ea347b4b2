// Figures of the room: online, offered, shown, held by rule, gifts a minute, left out.

import { byId, element } from '@barrage/ui/dom.ts';
import { number, rate } from '@barrage/ui/format.ts';
import { inLanguage } from '@barrage/ui/language.ts';
import { type Body, type Pulse, type Room } from '@barrage/client';
import { t, type Key } from '../texts/i18n.ts';
import { Rate } from '../rates.ts';
import { type Words } from '../room_api.ts';

/** Time over which rates are shown. */
const RATE_SECS = 10;
const MINUTE_SECS = 60;
const TICK_MS = 1_000;
/** Rules that the tile lists, by hits. */
const RULES_MAX = 3;

interface Tile {
  label: Key;
  figure: HTMLElement;
  more: HTMLElement;
}

export class Meters {
  readonly #tiles = new Map<string, Tile>();
  readonly #shown = new Rate(RATE_SECS);
  readonly #sampledOffered = new Rate(RATE_SECS);
  readonly #sampledShown = new Rate(RATE_SECS);
  readonly #gifts = new Rate(MINUTE_SECS);
  readonly #leftOut = new Rate(MINUTE_SECS);
  readonly #likes = new Rate(MINUTE_SECS);
  readonly #timer: number;
  #words: Words | null = null;

  constructor(
    private readonly room: Room,
    private readonly waiting: () => Map<string, number>,
  ) {
    for (const [id, label] of [['online', 'meterOnline'], ['offered', 'meterOffered'], ['shown', 'meterShown'], ['held', 'meterHeld'], ['gifts', 'meterGifts'], ['left', 'meterLeftOut']] as const) {
      const title = element('h3', '');
      const tile = { label, figure: element('p', 'figure'), more: element('p', 'more') };
      const node = element('li', 'tile', title, tile.figure, tile.more);
      node.dataset['meter'] = id;
      byId('meters').append(node);
      this.#tiles.set(id, tile);
      inLanguage(() => {
        title.textContent = t(label);
      });
    }
    inLanguage(() => this.#tell());
    this.#timer = setInterval(() => this.#tell(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  message(body: Body): void {
    const nowMs = Date.now();
    if (body.type === 'chat' || body.type === 'super_chat') this.#shown.add(1, nowMs);
    if (body.type === 'gift') this.#gifts.add(body.gift.count, nowMs);
  }

  pulse(pulse: Pulse): void {
    const nowMs = Date.now();
    if (pulse.likes) this.#likes.add(pulse.likes, nowMs);
    if (pulse.offered) this.#sampledOffered.add(pulse.offered, nowMs);
    if (pulse.shown) this.#sampledShown.add(pulse.shown, nowMs);
  }

  leftOut(count: number): void {
    this.#leftOut.add(count, Date.now());
  }

  words(words: Words): void {
    this.#words = words;
  }

  #tell(): void {
    const nowMs = Date.now();
    const shown = this.#shown.perSecond(nowMs);
    const sampled = this.#sampledOffered.perSecond(nowMs);
    // Without a sample all chat that passed the rules was shown.
    const offered = Math.max(sampled + Math.max(shown - this.#sampledShown.perSecond(nowMs), 0), shown);
    const { online } = this.room;
    this.#write('online', online === null ? '–' : number(online), t('meterLikes', { count: number(this.#likes.sum(nowMs)) }));
    this.#write('offered', rate(offered), sampled > 0 ? t('meterSampled') : t('meterAllShown'));
    this.#write('shown', rate(shown), t('meterRate', { secs: RATE_SECS }));
    this.#write('gifts', number(this.#gifts.sum(nowMs)), t('meterMinute'));
    this.#write('left', number(this.#leftOut.sum(nowMs)), t('meterMinute'));
    const waiting = [...this.waiting().values()].reduce((sum, count) => sum + count, 0);
    const rules = [...(this.#words?.figures ?? [])].filter(({ hits }) => hits > 0).sort((a, b) => b.hits - a.hits);
    const hits = rules.reduce((sum, rule) => sum + rule.hits, 0);
    const named = rules.slice(0, RULES_MAX).map(({ name, hits: count }) => `${name} ${number(count)}`);
    this.#write('held', number(hits), [t('meterWaiting', { count: waiting }), ...named].join(' · '));
  }

  #write(id: string, figure: string, more: string): void {
    const tile = this.#tiles.get(id);
    if (!tile) return;
    tile.figure.textContent = figure;
    tile.more.textContent = more;
    tile.more.title = more;
  }
}
