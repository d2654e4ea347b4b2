// The review queue: polled, with locks. A moderator takes a review before the decision, so that two do not
// read the same one.

import { byId, element } from '@barrage/ui/dom.ts';
import { ApiFailure } from '@barrage/ui/api.ts';
import { clock, duration } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { Poller } from '@barrage/ui/poller.ts';
import { readBody } from '@barrage/client/read';
import { contentOf } from '../chat/lines.ts';
import { pictureOf } from '../chat/picture.ts';
import { type Desk } from '../desk.ts';
import { isKey, say, t, type Key } from '../texts/i18n.ts';
import { type Decision, type Review, type Reviews as Queue, type RoomApi } from '../room_api.ts';
import { lockOf, pieces } from './review_text.ts';

/** Period of the poll, as docs/reference/protocol-reviews.md asks for. */
const PERIOD_MS = 2_000;
/** Mute of "deny and mute". */
const MUTE_SECS = 600;
/** Longest side of a picture that waits, in CSS pixels: large enough to decide about it. */
const REVIEWED_PX = 240;
/** A lock with less time left is taken again while its review is selected. */
const RENEW_MS = 20_000;

export interface ReviewEvents {
  own: () => string | null;
  seen: (reviews: Review[]) => void;
  openCard: (user: string) => void;
  signedOut: () => void;
}

export class Reviews {
  readonly #list = byId('review-list');
  readonly #count = byId('review-count');
  readonly #note = byId('review-note');
  readonly #poller: Poller<Queue>;
  readonly #rows = new Map<string, { node: HTMLElement; text: string }>();
  #queue: Queue | null = null;
  #selected: string | null = null;

  constructor(
    private readonly api: RoomApi,
    private readonly desk: Desk,
    private readonly events: ReviewEvents,
  ) {
    this.#poller = new Poller(
      () => api.reviews(),
      (queue) => this.#show(queue),
      (failure) => (failure.kind === 'unauthorized' ? events.signedOut() : this.#tell(failure)),
      PERIOD_MS,
    );
    byId<HTMLFormElement>('fallback-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#saveFallback();
    });
    inLanguage(() => {
      this.#rows.clear();
      this.#list.replaceChildren();
      if (this.#queue) this.#render();
    });
    this.#poller.now();
  }

  stop(): void {
    this.#poller.stop();
  }

  /** Number of messages and reports that wait, by rule. */
  get waiting(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { rule } of this.#queue?.reviews ?? []) counts.set(rule, (counts.get(rule) ?? 0) + 1);
    return counts;
  }

  /** Selects the next or the previous review, and takes it. */
  move(by: number): void {
    const reviews = this.#queue?.reviews ?? [];
    const at = reviews.findIndex(({ id }) => id === this.#selected);
    const next = reviews[Math.min(Math.max(at + by, 0), reviews.length - 1)];
    if (next) this.#select(next.id);
  }

  /** Decides the selected review, or the first one. */
  decide(kind: 'approve' | 'deny' | 'deny_and_mute'): void {
    const reviews = this.#queue?.reviews ?? [];
    const review = reviews.find(({ id }) => id === this.#selected) ?? reviews[0];
    if (review) void this.#decide(review, kind);
  }

  #select(id: string): void {
    const review = this.#queue?.reviews.find((one) => one.id === id);
    if (!review) return;
    this.#selected = id;
    this.#render();
    const row = this.#rows.get(id)?.node;
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: 'nearest' });
    if (this.#lock(review) === 'free') void this.#take(review);
  }

  async #take(review: Review): Promise<void> {
    try {
      const { until_ms: until } = await this.api.decide(review.id, { decision: 'take' });
      if (until !== undefined) review.lock = { by: this.events.own() ?? '', until_ms: until };
      this.#render();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#tell(error);
    }
    this.#poller.now();
  }

  async #decide(review: Review, kind: 'release' | 'approve' | 'deny' | 'deny_and_mute'): Promise<void> {
    const decision: Decision = kind === 'deny_and_mute' ? { decision: kind, secs: MUTE_SECS } : { decision: kind };
    const what = t(`did_${kind}`, { user: isolated(nameOf(review)) });
    const answer = await this.desk.run(what, () => this.api.decide(review.id, decision));
    if (answer && kind !== 'release') this.#drop(review.id);
    else if (answer) delete review.lock;
    this.#render();
    this.#poller.now();
  }

  /** Removes a decided review at once, and selects its neighbour. */
  #drop(id: string): void {
    const reviews = this.#queue?.reviews ?? [];
    const at = reviews.findIndex((one) => one.id === id);
    if (at < 0) return;
    reviews.splice(at, 1);
    if (this.#selected !== id) return;
    const hadFocus = this.#rows.get(id)?.node.contains(document.activeElement) === true;
    this.#selected = null;
    const next = reviews[Math.min(at, reviews.length - 1)];
    if (next && hadFocus) this.#select(next.id);
  }

  #lock(review: Review): 'free' | 'own' | 'other' {
    return lockOf(review.lock, this.events.own(), Date.now());
  }

  #show(queue: Queue): void {
    this.#queue = queue;
    if (!queue.reviews.some(({ id }) => id === this.#selected)) this.#selected = null;
    this.events.seen(queue.reviews);
    this.#showFallback(queue);
    this.#render();
    const selected = queue.reviews.find(({ id }) => id === this.#selected);
    const lock = selected?.lock;
    if (selected && lock && this.#lock(selected) === 'own' && lock.until_ms - Date.now() < RENEW_MS) void this.#take(selected);
  }

  #render(): void {
    const queue = this.#queue;
    if (!queue) return;
    const ids = new Set(queue.reviews.map(({ id }) => id));
    for (const [id, { node }] of this.#rows) {
      if (ids.has(id)) continue;
      node.remove();
      this.#rows.delete(id);
    }
    queue.reviews.forEach((review, index) => this.#place(review, index));
    this.#count.textContent = String(queue.reviews.length);
    this.#count.hidden = queue.reviews.length === 0;
    this.#note.hidden = queue.reviews.length > 0 && queue.overflowed === 0;
    if (queue.overflowed > 0) say(this.#note, 'reviewsFull', { count: queue.overflowed });
    else say(this.#note, 'reviewsEmpty');
  }

  #place(review: Review, index: number): void {
    const lock = this.#lock(review);
    const state = JSON.stringify([lock, review.lock?.by, review.id === this.#selected, review.report?.count]);
    let row = this.#rows.get(review.id);
    if (row?.text !== state) {
      const hadFocus = row?.node.contains(document.activeElement) === true;
      const node = this.#make(review, lock);
      row?.node.replaceWith(node);
      row = { node, text: state };
      this.#rows.set(review.id, row);
      if (hadFocus) node.focus({ preventScroll: true });
    }
    const at = this.#list.children[index];
    if (at !== row.node) this.#list.insertBefore(row.node, at ?? null);
    const fallback = row.node.querySelector<HTMLElement>('.fallback');
    if (fallback) fallback.textContent = fallbackText(review, this.#queue?.settings.fallback ?? 'deny');
    const age = row.node.querySelector<HTMLElement>('.age');
    if (age) age.textContent = t('reviewAge', { age: duration(Math.max(0, (Date.now() - review.at_ms) / 1_000)) });
  }

  #make(review: Review, lock: 'free' | 'own' | 'other'): HTMLElement {
    const user = element('button', 'link', element('bdi', '', nameOf(review)));
    user.type = 'button';
    user.addEventListener('click', () => this.events.openCard(review.user));
    const rule = element('code', 'badge', review.rule);
    const head = element('p', 'review-head', rule, user, element('span', 'age note'), element('span', 'fallback note'));
    const row = element('li', 'review', head, ...this.#content(review));
    row.tabIndex = -1;
    row.dataset['id'] = review.id;
    row.dataset['lock'] = lock;
    row.setAttribute('aria-label', t('reviewOf', { user: isolated(nameOf(review)), rule: isolated(review.rule) }));
    if (review.id === this.#selected) row.setAttribute('aria-current', 'true');
    if (lock === 'other') row.append(element('p', 'locked', t('lockedBy', { user: isolated(review.lock?.by ?? ''), time: clock(review.lock?.until_ms ?? 0) })));
    row.append(this.#buttons(review, lock));
    return row;
  }

  #content(review: Review): Node[] {
    if (review.report) return reportNodes(review);
    const body = readBody(review.message);
    if (!body) return [];
    const text = 'text' in body && typeof body.text === 'string' ? body.text : (contentOf(body).textContent ?? '');
    const words = element('p', 'words', ...pieces(text, review.matched ?? '').map((piece) => (piece.found ? element('mark', '', piece.text) : piece.text)));
    words.dir = 'auto';
    const picture = body.type === 'chat' && body.media !== undefined ? [pictureOf(body.media, nameOf(review), REVIEWED_PX)] : [];
    return text === '' ? picture : [words, ...picture];
  }

  #buttons(review: Review, lock: 'free' | 'own' | 'other'): HTMLElement {
    const button = (key: Key, act: string, run: () => void, level = 'small') => {
      const made = element('button', level, t(key));
      made.type = 'button';
      made.dataset['act'] = act;
      made.disabled = lock === 'other';
      made.addEventListener('click', run);
      return made;
    };
    const decide = (kind: 'approve' | 'deny' | 'deny_and_mute') => () => void this.#decide(review, kind);
    const isReport = review.kind === 'report';
    return element(
      'div',
      'buttons-row',
      lock === 'own' ? button('release', 'release', () => void this.#decide(review, 'release')) : button('take', 'take', () => this.#select(review.id)),
      button(isReport ? 'closeReport' : 'approve', 'approve', decide('approve'), 'small good'),
      button(isReport ? 'recallReported' : 'deny', 'deny', decide('deny'), 'small severe'),
      button('denyAndMute', 'deny_and_mute', decide('deny_and_mute'), 'small severe'),
    );
  }

  #showFallback({ settings }: Queue): void {
    const form = byId<HTMLFormElement>('fallback-form');
    if (form.contains(document.activeElement)) return;
    byId<HTMLSelectElement>('fallback').value = settings.fallback ?? '';
    byId<HTMLInputElement>('fallback-secs').value = String(settings.fallback_secs || 300);
  }

  async #saveFallback(): Promise<void> {
    const fallback = byId<HTMLSelectElement>('fallback').value;
    const secs = Number(byId<HTMLInputElement>('fallback-secs').value);
    const settings = fallback === 'approve' || fallback === 'deny' ? { fallback, fallback_secs: secs } as const : { fallback_secs: 0 };
    await this.desk.run(t('didFallback'), () => this.api.setReviews(settings));
    this.#poller.now();
  }

  #tell(failure: ApiFailure): void {
    this.#note.hidden = false;
    delete this.#note.dataset['say'];
    this.#note.textContent = failure.message;
  }
}

function nameOf(review: Review): string {
  const body = readBody(review.message ?? review.report?.evidence.at(-1)?.message);
  return body && 'name' in body && body.name ? body.name : review.user;
}

function fallbackText(review: Review, fallback: string): string {
  if (review.fallback_at_ms === undefined) return '';
  const secs = Math.max(0, (review.fallback_at_ms - Date.now()) / 1_000);
  const key = `fallback_${fallback}`;
  return isKey(key) ? t(key, { secs: duration(secs) }) : '';
}

function reportNodes(review: Review): Node[] {
  const { report } = review;
  if (!report) return [];
  const evidence = report.evidence.map(({ sequence, message }) => {
    const body = readBody(message);
    const row = element('li', sequence === report.sequence ? 'named' : '');
    if (body) row.append(contentOf(body));
    return row;
  });
  const detail = element('p', 'words', review.detail);
  detail.dir = 'auto';
  const list = element('ol', 'plain evidence', ...evidence);
  list.tabIndex = 0;
  list.setAttribute('aria-label', t('cardMessages'));
  return [detail, element('p', 'note', t('reportedBy', { count: report.count, users: report.reporters.map(isolated).join(', ') })), list];
}
