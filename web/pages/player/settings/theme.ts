// Dark or light: as the system says, or as the viewer has chosen.

import { type Theme } from './settings.ts';

const COLORS = { dark: '#0a0d14', light: '#f3f5fa' };

export class ThemeSwitch {
  #dark = matchMedia('(prefers-color-scheme: dark)');
  #theme: Theme = 'system';

  constructor() {
    this.#dark.addEventListener('change', () => this.#write());
  }

  set(theme: Theme): void {
    this.#theme = theme;
    this.#write();
  }

  #write(): void {
    const shown = this.#theme === 'system' ? (this.#dark.matches ? 'dark' : 'light') : this.#theme;
    document.documentElement.dataset['theme'] = shown;
    document.querySelector('meta[name=theme-color]')?.setAttribute('content', COLORS[shown]);
  }
}
