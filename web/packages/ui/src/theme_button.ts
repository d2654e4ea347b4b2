// A button of the top bar that goes through the themes.

import { inLanguage, locale } from './language.ts';
import { keep, recall } from './storage.ts';
import { type Theme, THEMES, ThemeSwitch } from './theme.ts';

const KEY = 'barrage.theme';
const LABELS: Record<'zh' | 'en', Record<Theme, string>> = {
  en: { system: 'Appearance: system', dark: 'Appearance: dark', light: 'Appearance: light' },
  zh: { system: '外观：跟随系统', dark: '外观：深色', light: '外观：浅色' },
};
const SIGNS: Record<Theme, string> = { system: '◐', dark: '☾', light: '☀' };

/** Lets a button go through the themes. The choice is remembered, for all pages with such a button. */
export function bindTheme(button: HTMLButtonElement): void {
  const themes = new ThemeSwitch();
  let theme: Theme = THEMES.find((one) => one === recall('local', KEY)) ?? 'system';
  const show = (): void => {
    themes.set(theme);
    button.textContent = SIGNS[theme];
    button.dataset['theme'] = theme;
    button.title = LABELS[locale() === 'en' ? 'en' : 'zh'][theme];
    button.setAttribute('aria-label', button.title);
  };
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
    keep('local', KEY, theme === 'system' ? null : theme);
    show();
  });
  inLanguage(show);
}
