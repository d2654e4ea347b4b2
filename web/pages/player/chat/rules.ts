// What a newcomer should know of the room: its title, and the rules that are in force.

import { inLanguage, t } from '../page/i18n.ts';
import { type RoomSettings } from '@barrage/client';

export class Rules {
  #settings: RoomSettings = {};

  constructor(
    private readonly place: HTMLElement,
    private readonly titled: (title: string) => void,
  ) {
    inLanguage(() => this.#write());
  }

  show(settings: RoomSettings): void {
    this.#settings = settings;
    this.titled(typeof settings.title === 'string' ? settings.title : '');
    this.#write();
  }

  #write(): void {
    const { mute_all: muteAll, slow_mode_secs: secs } = this.#settings;
    const words = [muteAll ? t('muteAll') : '', secs ? t('slowMode', { secs }) : ''].filter(Boolean).join(' ');
    if (this.place.textContent !== words) this.place.textContent = words;
    this.place.hidden = words === '';
  }
}
