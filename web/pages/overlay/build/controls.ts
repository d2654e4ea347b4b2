// Controls of the builder's form: each reads and writes one part of the settings.

import { element } from '@barrage/ui/dom.ts';

/** Creates a group of radio buttons that looks like one switch. */
export function choice<Value extends string>(
  name: string,
  legend: string,
  options: readonly (readonly [value: Value, label: string])[],
  chosen: Value,
  changed: (value: Value) => void,
): HTMLElement {
  const faces = options.map(([value, label]) => {
    const input = element('input', '');
    Object.assign(input, { type: 'radio', name, value, checked: value === chosen });
    input.addEventListener('change', () => changed(value));
    return element('label', 'option', input, element('span', 'face', label));
  });
  return element('fieldset', 'field', element('legend', 'name', legend), element('div', 'options', ...faces));
}

/** Creates a slider, with its value beside the name. */
export function slider(
  label: string,
  [min, max, step]: readonly [min: number, max: number, step: number],
  value: number,
  written: (value: number) => string,
  changed: (value: number) => void,
): HTMLElement {
  const input = element('input', 'slider');
  Object.assign(input, { type: 'range', min: String(min), max: String(max), step: String(step), value: String(value) });
  const shown = element('output', 'value', written(value));
  input.addEventListener('input', () => {
    shown.textContent = written(input.valueAsNumber);
    changed(input.valueAsNumber);
  });
  return element('label', 'field', element('span', 'name', element('span', '', label), shown), input);
}

/** Creates a line of text. */
export function line(label: string, value: string, empty: string, changed: (value: string) => void): HTMLElement {
  const input = element('input', 'line');
  Object.assign(input, { type: 'text', value, placeholder: empty, spellcheck: false, autocomplete: 'off' });
  input.addEventListener('input', () => changed(input.value.trim()));
  return element('label', 'field', element('span', 'name', label), input);
}

/** Creates check boxes under one name. */
export function checks(legend: string, boxes: readonly (readonly [label: string, on: boolean, changed: (on: boolean) => void])[]): HTMLElement {
  const made = boxes.map(([label, on, changed]) => {
    const input = element('input', '');
    Object.assign(input, { type: 'checkbox', checked: on });
    input.addEventListener('change', () => changed(input.checked));
    return element('label', 'check', input, element('span', '', label));
  });
  return element('fieldset', 'field', element('legend', 'name', legend), ...made);
}
