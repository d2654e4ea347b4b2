// Media that wait for a moderator, before anybody else sees them. The bytes come by signed addresses, which the admin
// listener of the role media serves.

import { byId, element } from '@barrage/ui/dom.ts';
import { type Api, ApiFailure } from '@barrage/ui/api.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { type Actions } from './actions.ts';
import { t } from './i18n.ts';

const REVIEWS = '/v1/admin/media/reviews';
/** Time between two looks at the queue, which reads blobs of the store. */
const LOOK_MS = 10_000;
/** Longest side of a picture in CSS pixels. */
const SHOWN_PX = 240;
const PATH = /^\/v1\/media\/[0-9a-f]{64}\/[a-z0-9]{1,16}\?/;

interface Variant {
  name: string;
  url: string;
}

interface Waiting {
  user: string;
  since_ms: number;
  /** Whether the hook has not answered yet. */
  awaits_hook?: boolean;
  /** Reason that the hook gave, as plain text. */
  reason?: string;
  media: { digest: string; kind: string; width?: number; height?: number; variants: Variant[] };
}

export class MediaReviews {
  readonly #list = byId('waiting-list');
  readonly #note = byId('waiting-note');
  /** Rows by `keyOf`. */
  readonly #rows = new Map<string, HTMLElement>();
  #waiting: Waiting[] = [];
  #lookedMs = -Infinity;
  /** Why there is no queue; empty while there is one. */
  #problem = '';
  /** Without the role media there is nothing to look at. */
  #isHere = true;

  constructor(
    private readonly api: Api,
    private readonly actions: Actions,
    private readonly signedOut: () => void,
    private readonly changed: () => void,
  ) {
    inLanguage(() => {
      this.#rows.clear();
      this.#render();
    });
  }

  /** Looks at the queue again when the last look is old enough. */
  show(): void {
    if (this.#isHere && performance.now() - this.#lookedMs >= LOOK_MS) void this.#look();
  }

  async #look(): Promise<void> {
    this.#lookedMs = performance.now();
    try {
      this.#waiting = (await this.api.get<{ reviews?: Waiting[] }>(REVIEWS)).reviews ?? [];
      this.#problem = '';
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === 'unauthorized') return this.signedOut();
      this.#isHere = error.kind !== 'missing';
      this.#problem = error.message;
    }
    this.#render();
  }

  #render(): void {
    const keys = new Set(this.#waiting.map(keyOf));
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.#rows.delete(key);
    for (const one of this.#waiting) if (!this.#rows.has(keyOf(one))) this.#rows.set(keyOf(one), this.#row(one));
    const rows = this.#waiting.flatMap((one) => this.#rows.get(keyOf(one)) ?? []);
    // The focus stays where it is while nothing changes.
    if (rows.length !== this.#list.childElementCount || rows.some((row, at) => row !== this.#list.children[at])) this.#list.replaceChildren(...rows);
    this.#note.textContent = this.#isHere ? this.#problem || (rows.length === 0 ? t('waitingEmpty') : '') : t('waitingElsewhere');
  }

  #row(one: Waiting): HTMLElement {
    const { user, since_ms: sinceMs, media } = one;
    const button = (key: 'allow' | 'deny', level: string): HTMLElement => {
      const made = element('button', level, t(key));
      made.type = 'button';
      made.setAttribute('aria-label', t(`${key}Of`, { user: isolated(user) }));
      made.addEventListener('click', () => this.#ask(one, key));
      return made;
    };
    const time = element('time', 'note', dateTime(sinceMs));
    const hook = hookOf(one);
    const said = hook === '' ? [] : [element('p', 'note waiting-hook', hook)];
    return element('li', 'waiting', lookOf(media, user), element('bdi', 'waiting-who', user), time, ...said, element('span', 'line', button('allow', 'small'), button('deny', 'small severe')));
  }

  #ask({ user, media }: Waiting, key: 'allow' | 'deny'): void {
    const values = { user: isolated(user) };
    this.actions.ask({
      title: t(`${key}Of`, values),
      effects: key === 'allow' ? [t('allowEffect', values)] : [t('denyEffect', values), t('denyForGood')],
      danger: key === 'deny',
      run: async () => {
        await this.api.call('POST', `${REVIEWS}/${media.digest}`, { decision: key === 'allow' ? 'approve' : 'deny' });
        await this.#look();
        byId('waiting-title').focus({ preventScroll: true });
        this.changed();
      },
    });
  }
}

/** Returns the key of a row: a medium whose answer of the hook came meanwhile gets another row. */
function keyOf({ media, awaits_hook: awaitsHook = false, reason = '' }: Waiting): string {
  return `${media.digest} ${awaitsHook} ${reason}`;
}

/** Returns what the moderator reads about the hook; empty where there is nothing to say. */
function hookOf({ awaits_hook: awaitsHook = false, reason = '' }: Waiting): string {
  if (awaitsHook) return t('waitingHook');
  return reason === '' ? '' : t('waitingReason', { reason: isolated(reason) });
}

/** Returns the path of a signed address, which has a host with `media.base_url`: this listener serves it as well. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}

/** Returns what the moderator looks at: a picture, and the link to its largest form; of another file the link alone. */
function lookOf({ kind, width = 1, height = 1, variants }: Waiting['media'], user: string): HTMLElement {
  const paths = variants.map(({ url }) => pathOf(url)).filter((url) => PATH.test(url));
  const link = element('a', 'waiting-look');
  const large = paths.at(-1);
  if (large !== undefined) link.href = large;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  const label = t(kind === 'image' ? 'waitingPicture' : 'waitingFile', { user: isolated(user) });
  link.setAttribute('aria-label', label);
  if (kind !== 'image') {
    link.textContent = label;
    return link;
  }
  const image = element('img', '');
  const factor = SHOWN_PX / Math.max(width, height, 1);
  image.width = Math.max(1, Math.round(width * factor));
  image.height = Math.max(1, Math.round(height * factor));
  image.alt = '';
  image.referrerPolicy = 'no-referrer';
  const shown = variants.find(({ name }) => Number(name) >= SHOWN_PX * Math.min(devicePixelRatio || 1, 2)) ?? variants.at(-1);
  if (shown && PATH.test(pathOf(shown.url))) image.src = pathOf(shown.url);
  link.append(image);
  return link;
}
