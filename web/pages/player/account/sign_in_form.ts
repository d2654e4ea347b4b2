// The form with name and password, for a registration or a login. The password stands in the field until the
// answer, and nowhere else.

import { byId } from '@barrage/ui/dom.ts';
import { radio } from '../page/choices.ts';
import { inLanguage, t } from '../page/i18n.ts';
import { type Accounts } from './accounts.ts';
import { type AccountsInfo } from './answers.ts';
import { Complaint, waitWords } from './complaint.ts';
import { objection, sentenceOf } from './sentences.ts';
import { type Session } from './session.ts';

export class SignInForm {
  #form = byId<HTMLFormElement>('account-form');
  #name = byId<HTMLInputElement>('account-name');
  #password = byId<HTMLInputElement>('account-password');
  #send = byId<HTMLButtonElement>('account-send');
  #complaint = new Complaint(byId('account-error'), () => this.#write());
  #isBusy = false;

  constructor(
    private readonly accounts: Accounts,
    private readonly session: Session,
    private readonly info: AccountsInfo,
    private readonly changed: () => void,
  ) {
    byId('account-wishes').append(radio('wish', 'login', true, 'signIn'), radio('wish', 'register', false, 'register'));
    byId('account-wishes').hidden = !info.registration;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#form.addEventListener('change', () => this.#write());
    this.#form.addEventListener('input', () => this.#complaint.forgive());
    inLanguage(() => this.#write());
  }

  focus(): void {
    this.#name.focus();
  }

  /** Empties the password when the dialog closes. */
  clear(): void {
    this.#password.value = '';
    this.#complaint.forgive();
  }

  get #wish(): 'login' | 'register' {
    return new FormData(this.#form).get('wish') === 'register' ? 'register' : 'login';
  }

  async #submit(): Promise<void> {
    const wish = this.#wish;
    const login = { name: this.#name.value, password: this.#password.value };
    if (this.#isBusy || this.#complaint.waitMs > 0) return;
    const refused = objection(login, wish, this.info);
    if (refused) return this.#complaint.say(refused);
    this.#busy(true);
    try {
      const answer = await (wish === 'register' ? this.accounts.register(login) : this.accounts.login(login));
      this.session.begin(answer);
      this.clear();
      this.changed();
    } catch (error) {
      this.#complaint.say(sentenceOf(error, wish));
      if (wish === 'login') this.#password.select();
    } finally {
      this.#busy(false);
    }
  }

  #busy(is: boolean): void {
    this.#isBusy = is;
    this.#form.setAttribute('aria-busy', String(is));
    this.#write();
  }

  #write(): void {
    const registers = this.#wish === 'register';
    const words = t(registers ? 'register' : 'signIn');
    const waitMs = this.#complaint.waitMs;
    this.#send.textContent = waitMs > 0 ? `${words} (${waitWords(waitMs)})` : words;
    // The form says why, and a disabled button would take the focus away.
    this.#send.setAttribute('aria-disabled', String(this.#isBusy || waitMs > 0));
    this.#password.autocomplete = registers ? 'new-password' : 'current-password';
    byId('account-rule').hidden = !registers;
    byId('account-rule').textContent = t('accountRule', { min: this.info.passwordCharsMin });
  }
}
