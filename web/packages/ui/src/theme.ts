// Dark or light: as the system says, or as a person has chosen by hand.

export const THEMES = ['system', 'dark', 'light'] as const;
export type Theme = (typeof THEMES)[number];

/** Colors of the browser's own bars. */
const COLORS = { dark: '#0a0d14', light: '#f3f5fa' };
/** Writes the theme that is shown into `data-theme` of the root, now and after each change of the system. */
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
