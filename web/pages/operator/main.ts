// Connects the parts: the sign-in, the poll of the overview, and the sections that show it.

import { byId } from '@barrage/ui/dom.ts';
import { inLanguage, switchLanguage } from '@barrage/ui/language.ts';
import { bindTheme } from '@barrage/ui/theme_button.ts';
import { Actions } from './actions.ts';
import { Api, ApiFailure } from '@barrage/ui/api.ts';
import { Audit } from './audit.ts';
import { Autoscaler } from './autoscaler.ts';
import { Fleet } from './fleet.ts';
import { Letters } from './letters/letters.ts';
import { clock } from '@barrage/ui/format.ts';
import { t, translatePage, type Key } from './i18n.ts';
import { Message } from './message.ts';
import { MediaReviews } from './media_reviews.ts';
import { type Overview, vitals } from './model.ts';
import { Poller } from '@barrage/ui/poller.ts';
import { Rings } from './rings.ts';
import { Rooms } from './rooms.ts';
import { Switches } from './switches.ts';
import { Tail } from './tail.ts';
import { VitalsRow } from './vitals_row.ts';

/** Age of the figures from which the page calls them stale. */
const STALE_MS = 5_000;
const AGE_CHECK_MS = 500;
/** Wait until the audit log has the line of an action. */
const AUDIT_WRITTEN_MS = 1_500;

const OVERVIEW = '/v1/admin/overview';

/** The console after the sign-in. */
class Console {
  readonly #poller: Poller<Overview>;
  readonly #sections: { show: (overview: Overview) => void }[];
  readonly #vitals: VitalsRow;
  readonly #tail: Tail;
  readonly #ageTimer: number;
  #newest: Overview | null = null;
  #before: Overview | null = null;

  constructor(api: Api, first: Overview, signedOut: () => void) {
    const rings = new Rings();
    const actions = new Actions(signedOut);
    const audit = new Audit(api, signedOut);
    const written = (): void => void setTimeout(() => audit.refresh(), AUDIT_WRITTEN_MS);
    const changed = () => {
      this.#poller.now();
      written();
    };
    this.#vitals = new VitalsRow(rings);
    this.#tail = new Tail(api, signedOut);
    const rooms = new Rooms((room) => {
      byId('tail-title').scrollIntoView({ block: 'start' });
      byId('tail-room').focus({ preventScroll: true });
      void this.#tail.start(room);
    });
    this.#sections = [new Fleet(api, actions, rings, changed), rooms, new Switches(api, actions, changed), new Autoscaler(), audit, this.#tail, new MediaReviews(api, actions, signedOut, written)];
    new Message(api, signedOut);
    new Letters(api, actions, signedOut, written);
    this.#poller = new Poller(
      () => api.get<Overview>(OVERVIEW),
      (overview) => this.#show(overview),
      (failure) => (failure.kind === 'unauthorized' ? signedOut() : this.#tellAge()),
    );
    byId('retry').addEventListener('click', () => this.#poller.now());
    inLanguage(() => {
      if (!this.#newest) return;
      this.#render(this.#newest);
      this.#tellAge();
    });
    this.#ageTimer = setInterval(() => this.#tellAge(), AGE_CHECK_MS);
    this.#poller.state.answeredAt = performance.now();
    this.#show(first);
    this.#poller.now();
  }

  /** Ends all calls. The page is reloaded afterwards, which forgets the token. */
  stop(): void {
    clearInterval(this.#ageTimer);
    this.#poller.stop();
    this.#tail.stop();
  }

  #show(overview: Overview): void {
    // Two polls within a second get the same answer.
    if (overview.at_ms !== this.#newest?.at_ms) this.#before = this.#newest;
    this.#newest = overview;
    this.#render(overview);
    this.#tellAge();
  }

  #render(overview: Overview): void {
    this.#vitals.show(overview, vitals(overview, this.#before));
    for (const section of this.#sections) section.show(overview);
  }

  #tellAge(): void {
    const { answeredAt, failure, nextAt } = this.#poller.state;
    const age = answeredAt === null ? 0 : performance.now() - answeredAt;
    const isStale = age >= STALE_MS;
    byId('as-of').textContent = isStale ? t('stale', { secs: Math.round(age / 1_000) }) : t('asOf', { time: clock(this.#newest?.at_ms ?? Date.now()) });
    byId('as-of').dataset['level'] = isStale || failure ? 'bad' : 'ok';
    byId('app').classList.toggle('is-stale', isStale);
    byId('trouble').hidden = failure === null;
    if (failure === null) return;
    const secs = nextAt === null ? 0 : Math.max(0, Math.ceil((nextAt - performance.now()) / 1_000));
    byId('trouble-text').textContent = t('retryIn', { message: failure.kind === 'network' ? t('signInNetwork') : failure.message, secs });
  }
}

const form = byId<HTMLFormElement>('sign-in');
const field = byId<HTMLInputElement>('token');
const button = byId<HTMLButtonElement>('sign-in-go');
let running: Console | null = null;

function tellSignIn(key: Key | null, values: Record<string, string> = {}): void {
  const place = byId('sign-in-problem');
  place.textContent = key ? t(key, values) : '';
  place.hidden = key === null;
}

/** Forgets the token, and shows the sign-in again: sections are built once, so the page is loaded anew. */
function signedOut(): void {
  running?.stop();
  location.reload();
}

async function signIn(): Promise<void> {
  const token = field.value.trim();
  if (!token) return field.focus();
  button.disabled = true;
  tellSignIn(null);
  try {
    const api = new Api(token);
    const first = await api.get<Overview>(OVERVIEW);
    field.value = '';
    byId('login').hidden = true;
    byId('app').hidden = false;
    byId('sign-out').hidden = false;
    byId('as-of').hidden = false;
    running = new Console(api, first, signedOut);
    byId('content').focus({ preventScroll: true });
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    const keys: Partial<Record<ApiFailure['kind'], Key>> = { unauthorized: 'signInFailed', forbidden: 'signInRole', network: 'signInNetwork' };
    tellSignIn(keys[error.kind] ?? 'signInOther', { message: error.message });
    field.focus();
  } finally {
    button.disabled = false;
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn();
});
byId('sign-out').addEventListener('click', signedOut);
byId('language').addEventListener('click', switchLanguage);
bindTheme(byId<HTMLButtonElement>('theme'));
inLanguage(() => {
  translatePage();
  byId('language').textContent = t('language');
  document.title = t('title');
});
field.focus();
