// Where the person is signed in, and the buttons that end one session or all.

import { byId, element } from '@barrage/ui/dom.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { inLanguage, t } from '../page/i18n.ts';
import { type Accounts, type Ended } from './accounts.ts';
import { type SessionView } from './answers.ts';
import { type Complaint } from './complaint.ts';
import { sentenceOf } from './sentences.ts';
import { type Session } from './session.ts';

export class OwnSessions {
  #list = byId('account-sessions');
  #sessions: SessionView[] = [];
  #isBusy = false;

  constructor(
    private readonly accounts: Accounts,
    private readonly session: Session,
    private readonly complaint: Complaint,
    private readonly changed: () => void,
  ) {
    byId('account-out').addEventListener('click', () => void this.#end({}));
    byId('account-out-all').addEventListener('click', () => void this.#end({ all: true }));
    inLanguage(() => this.#write());
  }

  async load(): Promise<void> {
    await this.#ask(async (secret) => {
      this.#sessions = await this.accounts.sessions(secret);
      this.#write();
    });
  }

  /** Ends sessions. Behind the end of its own one the page begins anew. */
  async #end(which: Ended): Promise<void> {
    const isDone = await this.#ask((secret) => this.accounts.logout(secret, which));
    if ('id' in which) {
      if (isDone) await this.load();
      // The button that was pressed may be gone.
      byId('account-out').focus();
      return;
    }
    // A session that the server has ended already is forgotten too.
    if (isDone || this.session.now === null) this.#leave();
  }

  #leave(): void {
    this.session.forget();
    this.changed();
  }

  /** Returns whether the request succeeded; a failure is a sentence in the dialog. */
  async #ask(request: (secret: string) => Promise<unknown>): Promise<boolean> {
    const kept = this.session.now;
    if (kept === null || this.#isBusy) return false;
    this.#isBusy = true;
    this.complaint.forgive();
    try {
      await request(kept.secret);
      return true;
    } catch (error) {
      const sentence = sentenceOf(error, 'sessions');
      if (sentence.key === 'accountOver') this.session.end();
      else this.complaint.say(sentence);
      return false;
    } finally {
      this.#isBusy = false;
    }
  }

  #write(): void {
    this.#list.replaceChildren(...this.#sessions.map((one) => this.#row(one)));
    byId('account-out-all').hidden = this.#sessions.length < 2;
  }

  #row({ id, createdAtMs, usedAtMs, current }: SessionView): HTMLElement {
    const since = t('sessionSince', { time: dateTime(createdAtMs) });
    const where = t(current ? 'sessionHere' : 'sessionElsewhere');
    const words = element('span', 'session-words', element('b', '', where), ` ${since} `, t('sessionUsed', { time: dateTime(usedAtMs) }));
    if (current) return element('li', 'session', words);
    const end = element('button', 'chip', t('sessionEnd'));
    end.type = 'button';
    end.setAttribute('aria-label', `${t('sessionEnd')}: ${since}`);
    end.addEventListener('click', () => void this.#end({ id }));
    return element('li', 'session', words, end);
  }
}
