// The room's poll above the list: its options are buttons, whose bars grow with each pulse.

import { count, inLanguage, isolated, t } from '../page/i18n.ts';
import { element } from '@barrage/ui/dom.ts';
import { type Poll, type PollCounts } from '@barrage/client';

/** How long a result stays. */
const RESULT_MS = 30_000;

export interface PollEvents {
  /** Sends a vote. The answer is the option that counts; null when the server refused it. */
  vote(poll: string, option: number): Promise<number | null>;
}

export class PollPanel {
  #poll: Poll | null = null;
  #votes: number[] = [];
  /** Option that this viewer voted for, from 1; 0 before. */
  #own = 0;
  #sending = false;
  #closed = false;
  #canVote = false;
  #timer: number | undefined;

  constructor(
    private readonly place: HTMLElement,
    private readonly events: PollEvents,
  ) {
    inLanguage(() => this.#write());
  }

  /** Shows a poll that takes votes. The same poll again changes nothing. */
  open(poll: Poll): void {
    if (this.#poll?.id === poll.id) return;
    clearTimeout(this.#timer);
    this.#poll = poll;
    this.#votes = poll.options.map(() => 0);
    this.#own = 0;
    this.#closed = false;
    this.#build();
  }

  /** Shows votes so far. They are totals, so that an older pulse is ignored. */
  votes(counts: PollCounts): void {
    if (this.#closed || counts.id !== this.#poll?.id || total(counts.votes) < total(this.#votes)) return;
    this.#votes = counts.votes;
    this.#write();
  }

  /** Shows the result for a while. */
  close(poll: Poll, votes: number[]): void {
    this.open(poll);
    this.#closed = true;
    this.#votes = votes;
    this.#write();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), RESULT_MS);
  }

  /** Hides a poll that no longer runs, and whose result was missed. A result on the page stays. */
  gone(): void {
    if (!this.#closed) this.hide();
  }

  hide(): void {
    this.#poll = null;
    this.place.hidden = true;
    this.place.replaceChildren();
  }

  /** Whether this viewer has a token that may vote. */
  enable(canVote: boolean): void {
    this.#canVote = canVote;
    this.#write();
  }

  #build(): void {
    const poll = this.#poll;
    if (!poll) return;
    const question = element('p', 'poll-question');
    question.dir = 'auto';
    question.textContent = poll.question;
    const options = element('div', 'poll-options');
    poll.options.forEach((option, index) => {
      const button = element('button', 'poll-option') as HTMLButtonElement;
      button.type = 'button';
      const name = element('span', 'poll-name');
      name.dir = 'auto';
      name.textContent = option;
      button.append(element('i', 'poll-bar'), name, element('b', 'poll-share'));
      button.addEventListener('click', () => void this.#vote(index + 1));
      options.append(button);
    });
    this.place.replaceChildren(question, options, element('p', 'poll-total'));
    this.place.hidden = false;
    this.#write();
  }

  async #vote(option: number): Promise<void> {
    const poll = this.#poll;
    if (!poll || this.#own !== 0 || this.#sending) return;
    this.#sending = true;
    this.#write();
    const counted = await this.events.vote(poll.id, option);
    this.#sending = false;
    if (counted !== null && this.#poll?.id === poll.id) this.#own = counted;
    this.#write();
  }

  #write(): void {
    const poll = this.#poll;
    if (!poll) return;
    const all = total(this.#votes);
    const buttons = this.place.querySelectorAll<HTMLButtonElement>('.poll-option');
    buttons.forEach((button, index) => {
      const votes = this.#votes[index] ?? 0;
      const share = all === 0 ? 0 : votes / all;
      button.style.setProperty('--share', share.toFixed(4));
      button.disabled = this.#closed || this.#sending || !this.#canVote || this.#own !== 0;
      button.setAttribute('aria-pressed', String(this.#own === index + 1));
      const words = { option: isolated(poll.options[index] ?? ''), votes: count(votes), share: Math.round(share * 100) };
      button.setAttribute('aria-label', t('pollOption', words));
      const shown = button.querySelector('.poll-share');
      if (shown) shown.textContent = `${words.share}%`;
    });
    const below = this.place.querySelector('.poll-total');
    if (below) below.textContent = t(this.#closed ? 'pollClosed' : 'pollVotes', { count: count(all) });
  }
}

function total(votes: number[]): number {
  return votes.reduce((sum, count) => sum + count, 0);
}
