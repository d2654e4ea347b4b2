// The reactions of the room: those of the platform, or a set of its own that a moderator chooses.

import { byId, element } from '@barrage/ui/dom.ts';
import { inLanguage } from '@barrage/ui/language.ts';
import { loadReactions, REACTIONS_MAX, symbolOf, USUAL_REACTIONS } from '@barrage/ui/reactions.ts';
import { type Action } from '../action.ts';
import { type Desk } from '../desk.ts';
import { say, t } from '../texts/i18n.ts';

export class ReactionPanel {
  readonly #chips = byId('reaction-chips');
  readonly #usual = byId<HTMLButtonElement>('reaction-default');
  /** The room's set; null while it has the platform's. Ahead of the state by the clicks that are under way. */
  #own: readonly string[] | null = null;
  #platform: readonly string[] = [];

  constructor(
    private readonly desk: Desk,
    uplinks: () => Promise<string[]>,
  ) {
    this.#usual.addEventListener('click', () => void this.#set(null));
    void uplinks()
      .then(loadReactions)
      .then((names) => {
        this.#platform = names ?? [];
        this.#draw();
      });
    inLanguage(() => this.#draw());
  }

  show(own: readonly string[] | null): void {
    if (JSON.stringify(own) === JSON.stringify(this.#own)) return;
    this.#own = own;
    this.#draw();
  }

  #draw(): void {
    const offered = this.#own ?? this.#platform;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset['reaction'] : undefined;
    const names = [...USUAL_REACTIONS, ...offered.filter((name) => !USUAL_REACTIONS.includes(name))];
    this.#chips.replaceChildren(...names.map((name) => this.#chip(name, offered)));
    if (focused !== undefined) this.#chips.querySelector<HTMLElement>(`[data-reaction="${focused}"]`)?.focus();
    this.#usual.disabled = this.#own === null;
    say(this.#usual, this.#own === null ? 'reactionsDefault' : 'reactionsReset');
  }

  #chip(name: string, offered: readonly string[]): HTMLElement {
    const isOn = offered.includes(name);
    const chip = element('button', 'reaction-chip', symbolOf(name));
    chip.type = 'button';
    chip.title = name;
    chip.dataset['reaction'] = name;
    chip.setAttribute('aria-label', name);
    chip.setAttribute('aria-pressed', String(isOn));
    chip.disabled = !isOn && offered.length >= REACTIONS_MAX;
    chip.addEventListener('click', () => void this.#set(isOn ? offered.filter((one) => one !== name) : [...offered, name]));
    return chip;
  }

  async #set(names: readonly string[] | null): Promise<void> {
    const before = this.#own;
    this.#own = names;
    this.#draw();
    const action: Action = names === null ? { type: 'reactions' } : { type: 'reactions', names: [...names] };
    const shown = names === null ? t('reactionsDefault') : names.length === 0 ? t('off') : names.map(symbolOf).join(' ');
    if (await this.desk.act(action, t('didChoose', { what: t('reactions'), value: shown }))) return;
    this.#own = before;
    this.#draw();
  }
}
