// The part of the settings about notifications: this device, the kinds, and the quiet hours of the user.

import { byId, element } from '@barrage/ui/dom.ts';
import { inLanguage } from '../page/i18n.ts';
import { type Push, type PushState } from './push.ts';
import { type PushServerWithSettings, type PushSettings } from './server.ts';
import { t, type Key } from './texts.ts';

const KINDS = ['letters', 'mentions', 'live'] as const;
const SENTENCES: Record<PushState, Key> = { on: 'isOn', off: 'isOff', denied: 'denied', impossible: 'impossible' };
/** Quiet hours that the panel offers before the user has chosen some. */
const NIGHT = { from: '22:00', to: '07:00' };

export class PushPanel {
  #root = element('section', 'push-settings');
  #title = element('h3', '');
  #state = element('p', 'empty');
  #switch = element('button', 'chip');
  #legend = element('legend', '');
  #kinds = KINDS.map((kind) => choiceOf(kind));
  #quiet = choiceOf('quiet');
  #from = timeOf('from', NIGHT.from);
  #to = timeOf('to', NIGHT.to);
  #hours = element('div', 'push-hours', this.#from.label, this.#to.label);
  #failed = false;
  #settings: PushSettings | null = null;

  constructor(
    private readonly push: Push,
    private readonly server: PushServerWithSettings,
  ) {
    this.#switch.type = 'button';
    this.#state.setAttribute('role', 'status');
    const kinds = element('div', 'choice', ...this.#kinds.map(({ label }) => label));
    this.#root.append(this.#title, this.#state, this.#switch, element('fieldset', '', this.#legend, kinds), this.#quiet.label, this.#hours);
    this.#switch.addEventListener('click', () => void this.#toggle());
    // The form of the settings reads its own fields on each change of one.
    this.#root.addEventListener('input', (event) => {
      event.stopPropagation();
      void this.#save();
    });
    byId('settings-form').querySelector('h3')?.before(this.#root);
    byId('settings-open').addEventListener('click', () => void this.#load());
    inLanguage(() => this.#write());
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#settings = (await this.server.settings()) ?? this.#settings;
    this.#write();
  }

  async #toggle(): Promise<void> {
    this.#switch.disabled = true;
    const before = this.push.state;
    try {
      await (before === 'on' ? this.push.off() : this.push.on());
      this.#failed = this.push.state === before;
    } catch {
      this.#failed = true;
    }
    this.#switch.disabled = false;
    this.#write();
  }

  async #save(): Promise<void> {
    const [letters, mentions, live] = this.#kinds.map(({ input }) => input.checked);
    const quiet = this.#quiet.input.checked ? { from: this.#from.input.value || NIGHT.from, to: this.#to.input.value || NIGHT.to } : null;
    this.#settings = { letters: letters === true, mentions: mentions === true, live: live === true, quiet };
    this.#failed = !(await this.server.save(this.#settings));
    this.#write();
  }

  #write(): void {
    const { state } = this.push;
    this.#title.textContent = t('title');
    this.#state.textContent = t(this.#failed && state !== 'denied' ? 'failed' : SENTENCES[state]);
    this.#switch.textContent = t(state === 'on' ? 'off' : 'allow');
    this.#switch.hidden = state === 'denied' || state === 'impossible';
    this.#legend.textContent = t('kinds');
    for (const choice of [...this.#kinds, this.#quiet, this.#from, this.#to]) choice.words.textContent = t(choice.key);
    if (this.#settings) {
      const { quiet, ...kinds } = this.#settings;
      for (const [at, kind] of KINDS.entries()) {
        const choice = this.#kinds[at];
        if (choice) choice.input.checked = kinds[kind];
      }
      this.#quiet.input.checked = quiet !== null;
      if (quiet) [this.#from.input.value, this.#to.input.value] = [quiet.from, quiet.to];
    }
    this.#hours.hidden = !this.#quiet.input.checked;
    for (const { input } of [...this.#kinds, this.#quiet]) input.disabled = this.#settings === null;
  }
}

interface Choice {
  key: Key;
  label: HTMLElement;
  input: HTMLInputElement;
  words: HTMLElement;
}

function choiceOf(key: Key): Choice {
  const input = element('input', '');
  input.type = 'checkbox';
  input.name = `push-${key}`;
  const words = element('span', 'face');
  return { key, input, words, label: element('label', 'radio', input, words) };
}

function timeOf(key: Key, value: string): Choice {
  const input = element('input', 'search');
  input.type = 'time';
  input.name = `push-${key}`;
  input.value = value;
  const words = element('span', '');
  return { key, input, words, label: element('label', 'push-hour', words, input) };
}
