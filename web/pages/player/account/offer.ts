// The offer to sign in: the dialog is loaded where the server has accounts, and nowhere else.

import { type Accounts } from './accounts.ts';
import { type Session } from './session.ts';

export class Offer {
  #made: Promise<void> | null = null;

  /** Calls `changed` when the person has signed in or out. */
  constructor(
    private readonly accounts: Accounts,
    private readonly session: Session,
    private readonly changed: () => void,
  ) {}

  /** Asks the server once, and again after a call that had no answer. */
  make(): void {
    this.#made ??= this.#make().catch(() => {
      this.#made = null;
    });
  }

  async #make(): Promise<void> {
    const info = await this.accounts.info();
    if (!info.enabled) return;
    const { AccountDialog } = await import('./dialog.ts');
    new AccountDialog(this.accounts, this.session, info, this.changed);
  }
}
