// The avatar of an account: a picture that goes up, is checked, and is then signed into the account's tokens.

import { openMedia } from '@barrage/client/media';
import { byId } from '@barrage/ui/dom.ts';
import { circleOf } from '../media/avatars.ts';
import { loadPictures } from '../media/box.ts';
import { hueOf } from '../log/hues.ts';
import { inLanguage, t } from '../page/i18n.ts';
import { type Accounts } from './accounts.ts';
import { type Complaint } from './complaint.ts';
import { sentenceOf } from './sentences.ts';
import { type Session } from './session.ts';

const TYPES = 'image/jpeg,image/png,image/webp,image/gif';

export class OwnAvatar {
  #choose = byId<HTMLButtonElement>('account-avatar-choose');
  #remove = byId<HTMLButtonElement>('account-avatar-remove');
  #input = byId<HTMLInputElement>('account-avatar-file');
  #status = byId('account-avatar-status');
  #avatar: string | undefined;
  #user = '';
  #isBusy = false;

  constructor(
    private readonly accounts: Accounts,
    private readonly session: Session,
    private readonly complaint: Complaint,
    /** The tokens of the account have another avatar. */
    private readonly changed: () => void,
  ) {
    this.#input.accept = TYPES;
    this.#choose.addEventListener('click', () => this.#input.click());
    this.#remove.addEventListener('click', () => void this.#become(null));
    this.#input.addEventListener('change', () => {
      const file = this.#input.files?.[0];
      this.#input.value = '';
      if (file) void this.#become(file);
    });
    inLanguage(() => this.#write());
  }

  /** Shows the avatar as the account has it; hidden where the server takes no media. */
  async load(): Promise<void> {
    const secret = this.session.now?.secret;
    const pictures = await loadPictures()?.catch(() => null);
    const { hosts = [] } = (await pictures?.hosts()) ?? {};
    byId('account-avatar').hidden = hosts.length === 0;
    if (secret === undefined || hosts.length === 0) return;
    const answer = await this.accounts.me(secret).catch(() => null);
    if (!answer) return;
    this.#avatar = answer.avatar;
    this.#user = answer.user;
    this.#write();
  }

  /** Sets a picture, or takes the avatar away. */
  async #become(file: File | null): Promise<void> {
    const kept = this.session.now;
    const pictures = await loadPictures()?.catch(() => null);
    if (!kept || !pictures || this.#isBusy) return;
    this.complaint.forgive();
    this.#busy(true);
    try {
      const { hosts, pieceBytes } = await pictures.hosts();
      const media = openMedia({ hosts, token: () => this.session.token(), chunkBytes: pieceBytes, storage: null });
      const digest = file === null ? null : await this.#uploaded(media.upload(file));
      if (digest === undefined) return;
      if (!(await media.avatar(digest))) return this.complaint.say({ key: 'avatarFailed' });
      this.#avatar = (await this.accounts.me(kept.secret, digest ?? '')).avatar;
      this.changed();
    } catch (error) {
      this.complaint.say(sentenceOf(error, 'sessions'));
    } finally {
      this.#busy(false);
    }
  }

  /** Returns the digest of a checked picture; undefined for a file that was refused, with its sentence. */
  async #uploaded(upload: ReturnType<ReturnType<typeof openMedia>['upload']>): Promise<string | undefined> {
    const end = await upload.done;
    if (end.kind === 'ready' && end.medium.kind === 'image') return end.medium.digest;
    if (end.kind === 'refused') this.complaint.say({ key: 'accountFailed', values: { message: end.message } });
    else this.complaint.say({ key: 'avatarNoPicture' });
    return undefined;
  }

  #busy(is: boolean): void {
    this.#isBusy = is;
    this.#write();
  }

  #write(): void {
    const name = this.session.now?.name ?? '';
    byId('account-avatar-now').replaceChildren(circleOf('own-avatar', name, hueOf(this.#user + name), this.#avatar));
    this.#status.textContent = this.#isBusy ? t('avatarBusy') : '';
    this.#choose.setAttribute('aria-disabled', String(this.#isBusy));
    this.#remove.hidden = this.#avatar === undefined;
  }
}
