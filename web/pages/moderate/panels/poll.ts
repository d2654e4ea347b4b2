// Polls: opening, the bars of the running one, closing, and the results of earlier ones.

import { byId, element } from '@barrage/ui/dom.ts';
import { ApiFailure } from '@barrage/ui/api.ts';
import { dateTime, number, percent } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { type Poll, type PollCounts } from '@barrage/client';
import { readVotes } from '@barrage/client/read';
import { type Desk } from '../desk.ts';
import { say, t } from '../texts/i18n.ts';
import { type PollInfo, type RoomApi } from '../room_api.ts';

const OPTIONS_MIN = 2;
const OPTIONS_MAX = 10;
const OPTION_CHARACTERS_MAX = 40;
/** Earlier polls that the panel lists. */
const RESULTS_MAX = 10;
const TICK_MS = 1_000;

export class Polls {
  readonly #form = byId<HTMLFormElement>('poll-form');
  readonly #options = byId('poll-options');
  readonly #running = byId('poll-running');
  readonly #bars = byId('poll-bars');
  readonly #results = byId('poll-results');
  readonly #timer: number;
  #poll: Poll | null = null;
  #votes: number[] = [];
  #closed: PollInfo[] = [];

  constructor(
    private readonly api: RoomApi,
    private readonly desk: Desk,
  ) {
    for (let count = 0; count < OPTIONS_MIN; count += 1) this.#addOption();
    byId('poll-more').addEventListener('click', () => this.#addOption()?.focus());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#open();
    });
    byId('poll-close').addEventListener('click', () => void this.#close());
    inLanguage(() => {
      for (const [index, field] of this.#fields().entries()) label(field, index);
      this.#render();
    });
    this.#timer = setInterval(() => this.#tellEnd(), TICK_MS);
    void this.#load();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Shows the poll that the room's state has; null when none runs. */
  show(poll: Poll | null): void {
    if (poll?.id === this.#poll?.id) return;
    this.#poll = poll;
    this.#votes = poll ? poll.options.map(() => 0) : [];
    this.#render();
    void this.#load();
  }

  votes(counts: readonly PollCounts[]): void {
    const found = counts.find(({ id }) => id === this.#poll?.id);
    if (!found) return;
    this.#votes = readVotes(found.votes);
    this.#render();
  }

  async #load(): Promise<void> {
    try {
      const { polls } = await this.api.polls();
      this.#closed = polls.filter(({ closed_ms: closed }) => closed !== undefined).slice(0, RESULTS_MAX);
      const running = polls.find(({ id }) => id === this.#poll?.id);
      if (running && this.#votes.every((count) => count === 0)) this.#votes = readVotes(running.votes);
      this.#render();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#results.replaceChildren(element('li', 'note', error.message));
    }
  }

  async #open(): Promise<void> {
    const options = this.#fields().map(({ value }) => value.trim()).filter((value) => value !== '');
    const question = byId<HTMLInputElement>('poll-question').value.trim();
    const opened = await this.desk.run(t('didPollOpen', { question: isolated(question) }), () =>
      this.api.openPoll({
        question,
        options,
        secs: Number(byId<HTMLSelectElement>('poll-secs').value),
        guests: byId<HTMLInputElement>('poll-guests').checked,
        words: byId<HTMLInputElement>('poll-words').checked,
      }),
    );
    if (!opened) return;
    this.#form.reset();
    this.show(opened);
  }

  async #close(): Promise<void> {
    const poll = this.#poll;
    if (!poll) return;
    const closed = await this.desk.run(t('didPollClose', { question: isolated(poll.question) }), () => this.api.closePoll(poll.id));
    if (closed) this.show(null);
  }

  #addOption(): HTMLInputElement | null {
    const fields = this.#fields();
    if (fields.length >= OPTIONS_MAX) return null;
    const field = element('input', '');
    field.maxLength = OPTION_CHARACTERS_MAX;
    field.required = fields.length < OPTIONS_MIN;
    label(field, fields.length);
    this.#options.append(field);
    byId<HTMLButtonElement>('poll-more').disabled = fields.length + 1 >= OPTIONS_MAX;
    return field;
  }

  #fields(): HTMLInputElement[] {
    return [...this.#options.querySelectorAll<HTMLInputElement>('input')];
  }

  #render(): void {
    const poll = this.#poll;
    this.#form.hidden = poll !== null;
    this.#running.hidden = poll === null;
    if (poll) {
      byId('poll-title').textContent = poll.question;
      this.#bars.replaceChildren(...bars(poll.options, this.#votes));
      this.#tellEnd();
    }
    this.#results.replaceChildren(...this.#closed.map(result));
    byId('poll-earlier').hidden = this.#closed.length === 0;
  }

  #tellEnd(): void {
    if (this.#poll) say(byId('poll-end'), 'pollEnds', { secs: Math.max(0, Math.ceil((this.#poll.ends_ms - Date.now()) / 1_000)) });
  }
}

function label(field: HTMLInputElement, index: number): void {
  field.placeholder = t('pollOption', { number: index + 1 });
  field.setAttribute('aria-label', field.placeholder);
}

function bars(options: readonly string[], votes: readonly number[]): Node[] {
  const sum = votes.reduce((all, count) => all + count, 0);
  return options.map((option, index) => {
    const count = votes[index] ?? 0;
    const share = sum === 0 ? 0 : count / sum;
    const fill = element('i', '');
    fill.style.width = `${Math.round(100 * share)}%`;
    const made = element('span', 'poll-bar', fill);
    made.setAttribute('aria-hidden', 'true');
    return element('li', '', element('bdi', 'option', option), element('span', 'count', `${number(count)} · ${percent(share)}`), made);
  });
}

function result(poll: PollInfo): HTMLElement {
  const title = element('summary', '', element('bdi', '', poll.question), ' ', element('time', '', dateTime(poll.closed_ms ?? poll.ends_ms)));
  return element('li', '', element('details', '', title, element('ul', 'plain poll-bars', ...bars(poll.options, poll.votes))));
}
