// An overlay for OBS and other mixers: a page without a background that shows a room. Without a room in its
// address it is the builder of such addresses.

import { type RowContext } from './feed/rows.ts';
import { DEFAULTS, readSettings, type Settings } from './settings.ts';
import { byId } from '@barrage/ui/dom.ts';
import { Avatars } from './feed/avatars.ts';
import { Emotes } from './feed/emotes.ts';
import { flightOf } from './flight.ts';
import { followObs } from './obs.ts';
import { follow, mediaHost } from './follow.ts';
import { gave } from './texts.ts';
import { sample } from './samples.ts';
import { type Places, View } from './feed/view.ts';

/** Time between two samples of the preview, and samples at its start. */
const SAMPLE_EVERY_MS = 1_200;
const SAMPLES_AT_START = 10;

const settings = readSettings(new URLSearchParams(location.search), navigator.language);
if (settings.room === '' && !settings.preview) {
  byId('builder').hidden = false;
  const { build } = await import('./build/build.ts');
  build(byId('builder'));
} else {
  show(settings);
}

function show(settings: Settings): void {
  const root = byId('overlay');
  root.dataset['mode'] = settings.mode;
  root.dataset['dir'] = settings.dir;
  if (settings.sizePx !== DEFAULTS.sizePx) root.style.setProperty('--size', `${settings.sizePx}px`);
  if (settings.font) root.style.setProperty('--font', settings.font);
  root.hidden = false;
  const emotes = new Emotes(settings.sizePx * 1.4);
  const context: RowContext = {
    badges: settings.badges,
    avatar: settings.avatars ? new Avatars(() => mediaHost(settings.room)).of : () => null,
    locale: settings.lang === 'zh' ? 'zh-CN' : 'en',
    pieces: settings.emotes ? emotes.pieces : (text) => [text],
    gave: (gift) => gave(settings.lang, gift),
  };
  const flight = settings.mode === 'list' ? null : flightOf(byId('flight'), settings, emotes);
  const view = new View(places(root), settings, context, flight);
  followObs(window, view);
  if (settings.preview) playSamples(view);
  else follow(settings, tokenOfPage(), view, emotes, root);
}

/** Reads the token behind `#`, which no request carries. It stays there: OBS loads the same address again. */
function tokenOfPage(): string | null {
  return new URLSearchParams(location.hash.slice(1)).get('token');
}

function places(root: HTMLElement): Places {
  const place = (name: string): HTMLElement => root.querySelector<HTMLElement>(`[data-place='${name}']`) as HTMLElement;
  return { list: place('list'), alerts: place('alerts'), ticker: place('ticker') };
}

function playSamples(view: View): void {
  let number = 0;
  const next = (): void => {
    number += 1;
    view.show(sample(number - 1, Date.now()), number);
  };
  for (let count = 0; count < SAMPLES_AT_START; count += 1) next();
  setInterval(next, SAMPLE_EVERY_MS);
}
