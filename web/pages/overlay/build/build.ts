// The builder: a form for the settings of an overlay, its address, and a preview with sample messages.

import { element } from '@barrage/ui/dom.ts';
import { inLanguage, locale, switchLanguage } from '@barrage/ui/language.ts';
import { DEFAULTS, HIDDEN, MODES, readSettings, type Settings, writeSettings } from '../settings.ts';
import { checks, choice, line, slider } from './controls.ts';
import { t } from './texts.ts';
import './style.css';

/** Wait after a change before the preview loads again. */
const RELOAD_MS = 250;
const ROOM_DEFAULT = 'demo';

/** Builds the form in its place. The settings stay over a change of the language. */
export function build(root: HTMLElement): void {
  let settings: Settings = { ...DEFAULTS, room: ROOM_DEFAULT };
  const frame = element('iframe', 'preview-frame');
  const address = element('input', 'line address');
  address.readOnly = true;
  let timer: number | undefined;
  const refresh = (): void => {
    address.value = addressOf(settings);
    clearTimeout(timer);
    timer = setTimeout(() => frame.contentWindow?.location.replace(previewOf(settings)), RELOAD_MS);
  };
  const change = (part: Partial<Settings>): void => {
    // Read again, so that the form can write nothing that an address could not.
    const query = writeSettings({ ...settings, ...part });
    settings = readSettings(query);
    refresh();
  };
  frame.src = previewOf(settings);
  address.value = addressOf(settings);
  inLanguage(() => {
    document.documentElement.lang = locale();
    document.title = `${t('title')} · Barrage`;
    frame.title = t('preview');
    address.setAttribute('aria-label', t('address'));
    root.replaceChildren(head(), form(settings, change), aside(frame, address));
  });
}

/** The address for a mixer. The language is written, because a mixer's browser has its own. */
function addressOf(settings: Settings): string {
  return `${location.origin}${location.pathname}?${writeSettings({ ...settings, lang: languageOf() })}`;
}

function previewOf(settings: Settings): string {
  return `${location.pathname}?${writeSettings({ ...settings, lang: languageOf(), preview: true })}`;
}

function languageOf(): Settings['lang'] {
  return locale() === 'en' ? 'en' : 'zh';
}

function head(): HTMLElement {
  const language = element('button', 'language', t('language'));
  language.type = 'button';
  language.addEventListener('click', switchLanguage);
  return element('header', 'head', element('div', '', element('h1', '', t('title')), element('p', 'lead', t('lead'))), language);
}

function form(settings: Settings, change: (part: Partial<Settings>) => void): HTMLElement {
  const flag = (name: 'badges' | 'avatars' | 'emotes' | 'alerts' | 'ticker') => [t(name), settings[name], (on: boolean) => change({ [name]: on })] as const;
  const hidden = new Set(settings.hide);
  const hide = HIDDEN.map((name) => {
    const changed = (on: boolean): void => {
      if (on) hidden.add(name);
      else hidden.delete(name);
      change({ hide: HIDDEN.filter((one) => hidden.has(one)) });
    };
    return [t(name), hidden.has(name), changed] as const;
  });
  const percent = (value: number): string => `${Math.round(value * 100)} %`;
  const made = element(
    'form',
    'form',
    line(t('room'), settings.room, ROOM_DEFAULT, (room) => change({ room: room || ROOM_DEFAULT })),
    choice('mode', t('mode'), MODES.map((mode) => [mode, t(mode)] as const), settings.mode, (mode) => change({ mode })),
    slider(t('size'), [12, 64, 1], settings.sizePx, (value) => `${value} px`, (sizePx) => change({ sizePx })),
    line(t('font'), settings.font, t('fontEmpty'), (font) => change({ font })),
    slider(t('fade'), [0, 120, 5], settings.fadeSecs, (value) => (value === 0 ? t('fadeNever') : t('secs', { count: value })), (fadeSecs) => change({ fadeSecs })),
    slider(t('max'), [1, 100, 1], settings.rowsMax, String, (rowsMax) => change({ rowsMax })),
    choice('dir', t('dir'), [['up', t('up')], ['down', t('down')]] as const, settings.dir, (dir) => change({ dir })),
    checks(t('parts'), [flag('badges'), flag('avatars'), flag('emotes'), flag('alerts'), flag('ticker')]),
    checks(t('hide'), hide),
    line(t('block'), settings.block.join(', '), '', (names) => change({ block: names.split(',').map((name) => name.trim().toLowerCase()).filter(Boolean) })),
    slider(t('opacity'), [0.1, 1, 0.05], settings.opacity, percent, (opacity) => change({ opacity })),
    slider(t('area'), [0.1, 1, 0.05], settings.area, percent, (area) => change({ area })),
  );
  made.addEventListener('submit', (event) => event.preventDefault());
  return made;
}

function aside(frame: HTMLIFrameElement, address: HTMLInputElement): HTMLElement {
  const copy = element('button', 'copy', t('copy'));
  copy.type = 'button';
  copy.addEventListener('click', () => void copyTo(address, copy));
  const preview = element('div', 'preview', frame);
  preview.dataset['ground'] = 'scene';
  const grounds = choice('ground', t('ground'), [['scene', t('scene')], ['dark', t('dark')], ['light', t('light')]] as const, 'scene', (ground) => {
    preview.dataset['ground'] = ground;
  });
  const label = element('div', 'field', element('span', 'name', t('address')), element('div', 'copy-line', address, copy));
  return element('section', 'aside', label, preview, grounds);
}

async function copyTo(address: HTMLInputElement, button: HTMLButtonElement): Promise<void> {
  address.select();
  try {
    await navigator.clipboard.writeText(address.value);
    button.textContent = t('copied');
  } catch {
    // Without a clipboard the address is selected: the keyboard copies it.
  }
}
