// The dialog with the viewer's settings. Each change holds at once and is kept.

import { THEMES } from '@barrage/ui/theme.ts';
import { byId, element, icon } from '@barrage/ui/dom.ts';
import { checkbox, radio } from '../page/choices.ts';
import { inLanguage, type Key, t } from '../page/i18n.ts';
import { AREAS, defaults, type Kept, MODES, type Settings } from './settings.ts';

const RANGES = ['opacity', 'speed', 'size'] as const;

export class SettingsPanel {
  #dialog = byId<HTMLDialogElement>('settings');
  #form = byId<HTMLFormElement>('settings-form');
  #word = byId<HTMLInputElement>('blocked-word');

  constructor(
    opener: HTMLElement,
    private readonly kept: Kept,
  ) {
    for (const area of AREAS) byId('areas').append(radio('area', String(area), false, `area_${area}` as Key));
    for (const mode of MODES) byId('shown-modes').append(checkbox('shown', mode, `mode_${mode}`));
    for (const theme of THEMES) byId('themes').append(radio('theme', theme, false, `theme_${theme}`));
    opener.addEventListener('click', () => {
      this.#write(kept.now);
      this.#dialog.showModal();
    });
    // A click on the backdrop is one on the dialog itself.
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
    byId('settings-close').addEventListener('click', () => this.#dialog.close());
    this.#form.addEventListener('input', (event) => {
      if (event.target !== this.#word) this.#read();
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#addWord();
    });
    byId('settings-reset').addEventListener('click', () => {
      const { words, users, theme, danmaku } = kept.now;
      kept.change({ ...defaults(), words, users, theme, danmaku });
    });
    kept.on((settings) => this.#write(settings));
    inLanguage(() => this.#write(kept.now));
  }

  #field(name: string): HTMLInputElement {
    return this.#form.elements.namedItem(name) as HTMLInputElement;
  }

  #read(): void {
    const data = new FormData(this.#form);
    const shown = new Set(data.getAll('shown'));
    const modes = Object.fromEntries(MODES.map((mode) => [mode, shown.has(mode)])) as Settings['modes'];
    this.kept.change({
      opacity: Number(data.get('opacity')),
      speed: Number(data.get('speed')),
      size: Number(data.get('size')),
      area: Number(data.get('area')),
      theme: data.get('theme') as Settings['theme'],
      modes,
    });
  }

  #addWord(): void {
    this.kept.addWord(this.#word.value);
    this.#word.value = '';
    this.#word.focus();
  }

  #write(settings: Settings): void {
    for (const name of RANGES) {
      this.#field(name).value = String(settings[name]);
      byId(`${name}-value`).textContent = `${settings[name]}%`;
    }
    check(this.#form, 'area', (value) => value === String(settings.area));
    check(this.#form, 'theme', (value) => value === settings.theme);
    check(this.#form, 'shown', (value) => settings.modes[value as keyof Settings['modes']]);
    const words = settings.words.map((word) => chip(word, () => this.kept.change({ words: settings.words.filter((one) => one !== word) })));
    byId('blocked-words').replaceChildren(...words);
    const users = settings.users.map(({ user, name }) => chip(name, () => this.kept.unblock(user)));
    byId('blocked-users').replaceChildren(...users);
    byId('none-blocked').hidden = users.length > 0;
  }
}

function check(form: HTMLFormElement, name: string, holds: (value: string) => boolean): void {
  for (const input of form.querySelectorAll<HTMLInputElement>(`input[name=${name}]`)) input.checked = holds(input.value);
}

function chip(words: string, remove: () => void): HTMLElement {
  const button = element('button', 'chip-remove', icon('close'));
  button.type = 'button';
  button.setAttribute('aria-label', t('remove', { name: words }));
  button.addEventListener('click', remove);
  return element('li', 'blocked', element('bdi', '', words), button);
}
