// Full screen for the stage with the chat beside it. Where the browser has none for elements (phones of
// Apple), the button is hidden.

import { t, inLanguage } from './i18n.ts';

export class FullScreen {
  constructor(
    private readonly button: HTMLElement,
    private readonly room: HTMLElement,
  ) {
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener('click', () => void this.toggle());
    document.addEventListener('fullscreenchange', () => this.#write());
    document.addEventListener('keydown', (event) => {
      const typing = event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey;
      if (event.key === 'f' && !typing && !button.hidden) void this.toggle();
    });
    inLanguage(() => this.#write());
  }

  async toggle(): Promise<void> {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.room.requestFullscreen();
    } catch {
      // The frame around this page forbids it.
    }
  }

  #write(): void {
    const label = t(document.fullscreenElement ? 'exitFullscreen' : 'fullscreen');
    this.button.setAttribute('aria-pressed', String(document.fullscreenElement !== null));
    this.button.setAttribute('aria-label', label);
    this.button.title = label;
  }
}
