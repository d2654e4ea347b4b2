// Actions that change something: each asks first and names its effect, and its result is listed.

import { byId, element } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { ApiFailure } from '@barrage/ui/api.ts';
import { clock } from '@barrage/ui/format.ts';
import { t } from './i18n.ts';

/** Results that the list keeps. */
const RESULTS_MAX = 20;

export interface Field {
  label: string;
  /** A number within bounds, empty where that is allowed; one of several values; or a text, which must be `equals`. */
  kind: { min: number; max: number; optional: boolean } | { choices: [value: string, label: string][] } | { charsMax: number; equals?: string };
  initial: string;
}

export interface Question {
  title: string;
  effects: string[];
  /** The last effect is a danger and stands out. */
  danger: boolean;
  field?: Field;
  /** Carries the action out. `value` is the field's value, empty without a field. */
  run: (value: string) => Promise<void>;
}

export class Actions {
  readonly #dialog = byId<HTMLDialogElement>('confirm');
  readonly #form = byId<HTMLFormElement>('confirm-form');
  readonly #go = byId<HTMLButtonElement>('confirm-go');
  readonly #results = byId('results');
  #question: Question | null = null;

  constructor(private readonly signedOut: () => void) {
    byId('confirm-cancel').addEventListener('click', () => this.#dialog.close());
    this.#dialog.addEventListener('close', () => {
      this.#question = null;
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const question = this.#question;
      if (!question) return;
      const field = this.#form.querySelector<HTMLInputElement | HTMLSelectElement>('#confirm-field');
      void this.#run(question, field?.value ?? '');
    });
  }

  /** Opens the dialog, and carries the action out when the operator confirms. */
  ask(question: Question): void {
    this.#question = question;
    byId('confirm-title').textContent = question.title;
    byId('confirm-effects').replaceChildren(
      ...question.effects.map((effect, index) => element('p', question.danger && index === question.effects.length - 1 ? 'danger' : '', effect)),
    );
    byId('confirm-fields').replaceChildren(...(question.field ? fieldNodes(question.field) : []));
    this.#go.textContent = t('confirm');
    this.#go.disabled = false;
    this.#dialog.showModal();
  }

  async #run(question: Question, value: string): Promise<void> {
    this.#go.disabled = true;
    this.#go.textContent = t('working');
    const what = isolated(question.title);
    try {
      await question.run(value);
      this.#tell(t('done', { what }), 'ok');
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === 'unauthorized') return this.signedOut();
      this.#tell(t('failed', { what, message: isolated(error.message) }), 'bad');
    } finally {
      this.#dialog.close();
    }
  }

  #tell(text: string, level: 'ok' | 'bad'): void {
    const row = element('li', '', element('time', '', clock(Date.now())), ` ${text}`);
    row.dataset['level'] = level;
    this.#results.prepend(row);
    while (this.#results.childElementCount > RESULTS_MAX) this.#results.lastElementChild?.remove();
  }
}

function fieldNodes({ label, kind, initial }: Field): Node[] {
  const words = element('label', '', label);
  words.htmlFor = 'confirm-field';
  let field: HTMLInputElement | HTMLSelectElement;
  if ('choices' in kind) {
    field = element('select', '');
    for (const [value, name] of kind.choices) field.append(new Option(name, value));
  } else if ('charsMax' in kind) {
    field = element('input', '');
    field.maxLength = kind.charsMax;
    field.required = true;
    field.spellcheck = false;
    // The characters of ids that mean something in a pattern.
    if (kind.equals !== undefined) field.pattern = kind.equals.replaceAll('.', '\\.');
  } else {
    field = element('input', '');
    field.type = 'number';
    field.min = String(kind.min);
    field.max = String(kind.max);
    field.required = !kind.optional;
  }
  field.id = 'confirm-field';
  field.value = initial;
  return [words, field];
}
