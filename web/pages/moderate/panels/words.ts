// The room's words: rules with their figures, a draft that is saved as a whole, and a text to test.

import { byId, element } from '@barrage/ui/dom.ts';
import { ApiFailure } from '@barrage/ui/api.ts';
import { number } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { type Desk } from '../desk.ts';
import { isKey, say, t } from '../texts/i18n.ts';
import { type RoomApi, type Tested, type WordRule, type Words as Stored } from '../room_api.ts';

/** Rules of a room, at most (docs/reference/protocol-reviews.md). */
const RULES_MAX = 16;
const ACTIONS = ['review', 'hold', 'mask', 'refuse'] as const;
/** Period of the figures. */
const FIGURES_MS = 10_000;

export class Words {
  readonly #list = byId('word-rules');
  readonly #note = byId('word-note');
  readonly #save = byId<HTMLButtonElement>('word-save');
  readonly #add = byId<HTMLButtonElement>('word-add');
  readonly #timer: number;
  #stored: Stored | null = null;
  #draft: WordRule[] = [];
  #changed = false;

  constructor(
    private readonly api: RoomApi,
    private readonly desk: Desk,
    private readonly read: (words: Stored) => void,
  ) {
    this.#add.addEventListener('click', () => this.#addRule());
    byId<HTMLFormElement>('word-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#saveAll();
    });
    byId('word-reset').addEventListener('click', () => void this.#load(true));
    byId<HTMLFormElement>('word-test').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#test(byId<HTMLInputElement>('word-text').value);
    });
    inLanguage(() => this.#render());
    void this.#load(true);
    this.#timer = setInterval(() => document.hidden || void this.#load(false), FIGURES_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the stored rules and figures. A draft that was changed stays, unless `discard` is true. */
  async #load(discard: boolean): Promise<void> {
    try {
      const stored = await this.api.words();
      this.read(stored);
      if (this.#changed && !discard) {
        if (this.#stored) this.#stored.figures = stored.figures;
        return this.#showFigures();
      }
      this.#take(stored);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#tell(error.message);
    }
  }

  #take(stored: Stored): void {
    const isSame = !this.#changed && JSON.stringify(stored.rules) === JSON.stringify(this.#stored?.rules);
    this.#stored = stored;
    if (isSame) return this.#showFigures();
    this.#draft = stored.rules.map((rule) => ({ ...rule, words: [...rule.words] }));
    this.#changed = false;
    this.#render();
  }

  #addRule(): void {
    if (this.#draft.length >= RULES_MAX) return;
    let count = this.#draft.length + 1;
    while (this.#draft.some(({ name }) => name === `rule-${count}`)) count += 1;
    this.#draft.push({ name: `rule-${count}`, words: [], action: 'review', shadow: true });
    this.#mark();
    this.#render();
    this.#list.lastElementChild?.querySelector<HTMLElement>('textarea')?.focus();
  }

  #mark(): void {
    this.#changed = true;
    this.#showState();
  }

  async #saveAll(): Promise<void> {
    const version = this.#stored?.version ?? 0;
    const answer = await this.desk.run(t('didWords'), () => this.api.setWords(version, this.#draft));
    if (!answer) return;
    this.#changed = false;
    this.#stored = null;
    this.#take(answer);
    this.read(answer);
  }

  async #test(text: string): Promise<void> {
    const result = byId('word-result');
    try {
      result.replaceChildren(...testedNodes(await this.api.testWords(text, this.#draft)));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      result.replaceChildren(element('p', 'problem', error.message));
    }
  }

  #render(): void {
    this.#list.replaceChildren(...this.#draft.map((rule, index) => this.#rule(rule, index)));
    this.#showFigures();
    this.#showState();
  }

  #showState(): void {
    this.#save.disabled = !this.#changed;
    this.#add.disabled = this.#draft.length >= RULES_MAX;
    byId('word-reset').hidden = !this.#changed;
    if (this.#changed) say(this.#note, 'wordsChanged');
    else say(this.#note, this.#draft.length === 0 ? 'wordsEmpty' : 'wordsHelp');
  }

  #rule(rule: WordRule, index: number): HTMLElement {
    const name = element('input', '');
    name.value = rule.name;
    name.maxLength = 32;
    name.required = true;
    name.addEventListener('input', () => {
      rule.name = name.value.trim();
      this.#mark();
    });
    const words = element('textarea', '');
    words.rows = 2;
    words.spellcheck = false;
    words.value = rule.words.join(', ');
    words.addEventListener('input', () => {
      rule.words = words.value.split(/[\n,，、]/).map((word) => word.trim()).filter((word) => word !== '');
      this.#mark();
    });
    const action = element('select', '');
    for (const value of ACTIONS) action.append(new Option(t(`wordAction_${value}`), value));
    action.value = rule.action;
    action.addEventListener('change', () => {
      rule.action = action.value as WordRule['action'];
      this.#mark();
    });
    const shadow = element('input', '');
    shadow.type = 'checkbox';
    shadow.checked = rule.shadow;
    shadow.addEventListener('change', () => {
      rule.shadow = shadow.checked;
      this.#mark();
    });
    const remove = element('button', 'small', t('wordRemove'));
    remove.type = 'button';
    remove.setAttribute('aria-label', t('wordRemoveOf', { name: isolated(rule.name) }));
    remove.addEventListener('click', () => {
      this.#draft.splice(index, 1);
      this.#mark();
      this.#render();
      this.#add.focus();
    });
    const figures = element('p', 'figures note');
    const head = element('div', 'rule-head', labelled('wordName', name), labelled('wordAction', action), element('label', 'check', shadow, t('wordShadow')), remove);
    const row = element('li', 'rule', head, labelled('wordWords', words), figures);
    row.dataset['rule'] = rule.name;
    return row;
  }

  #showFigures(): void {
    for (const row of this.#list.querySelectorAll<HTMLElement>('[data-rule]')) {
      const found = this.#stored?.figures.find(({ name }) => name === row.dataset['rule']);
      const rule = this.#stored?.rules.find(({ name }) => name === row.dataset['rule']);
      const place = row.querySelector<HTMLElement>('.figures');
      if (!place) continue;
      if (!found || !rule) say(place, 'figuresNone');
      else say(place, rule.shadow ? 'figuresShadow' : 'figuresActing', { hits: number(found.hits), texts: number(found.texts), percent: number(found.percent, 1) });
    }
  }

  #tell(problem: string): void {
    delete this.#note.dataset['say'];
    this.#note.textContent = problem;
  }
}

function labelled(key: 'wordName' | 'wordAction' | 'wordWords', field: HTMLElement): HTMLElement {
  return element('label', 'field', element('span', '', t(key)), field);
}

function testedNodes(tested: Tested): Node[] {
  const key = `tested_${tested.action ?? 'shown'}`;
  const verdict = element('p', '', isKey(key) ? t(key) : (tested.action ?? ''));
  verdict.dataset['verdict'] = tested.action ?? 'shown';
  const text = element('p', 'words', tested.text);
  text.dir = 'auto';
  const hits = tested.hits.map(({ rule, action, shadow, matched }) => {
    const name = `wordAction_${action}`;
    return element('li', '', element('code', '', rule), ` ${isKey(name) ? t(name) : action}${shadow ? ` · ${t('wordShadow')}` : ''} · `, element('mark', '', matched));
  });
  return [verdict, text, element('ul', 'plain', ...hits)];
}
