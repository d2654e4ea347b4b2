// The dialog of the account: the form of those who are not signed in, and the sessions of those who are.

import { byId, element, icon } from '@barrage/ui/dom.ts';
import { inLanguage, isolated, t } from '../page/i18n.ts';
import { type Accounts } from './accounts.ts';
import { type AccountsInfo } from './answers.ts';
import { OwnAvatar } from './avatar.ts';
import { Complaint } from './complaint.ts';
import { OwnSessions } from './own_sessions.ts';
import { type Session } from './session.ts';
import { SignInForm } from './sign_in_form.ts';

export class AccountDialog {
  #dialog = byId<HTMLDialogElement>('account');
  #opener = byId<HTMLButtonElement>('account-open');
  #form: SignInForm;
  #own: OwnSessions;
  #avatar: OwnAvatar;

  /** Shows the button in the bar. Calls `changed` when the person has signed in or out; the page then begins anew. */
  constructor(
    accounts: Accounts,
    private readonly session: Session,
    info: AccountsInfo,
    changed: () => void,
  ) {
    this.#form = new SignInForm(accounts, session, info, changed);
    const complaint = new Complaint(byId('account-own-error'), () => undefined);
    this.#own = new OwnSessions(accounts, session, complaint, changed);
    this.#avatar = new OwnAvatar(accounts, session, complaint, changed);
    this.#opener.addEventListener('click', () => this.#open());
    // A click on the backdrop is one on the dialog itself.
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener('close', () => this.#form.clear());
    byId('account-close').addEventListener('click', () => this.#dialog.close());
    session.on(() => this.#write());
    inLanguage(() => this.#write());
    this.#opener.hidden = false;
  }

  #open(): void {
    this.#write();
    this.#dialog.showModal();
    if (this.session.now === null) this.#form.focus();
    else void Promise.all([this.#own.load(), this.#avatar.load()]);
  }

  #write(): void {
    const kept = this.session.now;
    const words = kept === null ? t(this.session.isOver ? 'accountAgain' : 'signIn') : kept.name;
    this.#opener.replaceChildren(icon('person'), element('bdi', 'account-words', words));
    const label = kept === null ? words : t('accountOf', { name: isolated(kept.name) });
    this.#opener.setAttribute('aria-label', label);
    this.#opener.title = label;
    byId('account-title').textContent = kept === null ? t('signIn') : t('account');
    byId('account-over').hidden = !this.session.isOver;
    byId('account-form').hidden = kept !== null;
    byId('account-own').hidden = kept === null;
    byId('account-name-now').textContent = kept?.name ?? '';
  }
}
