// Radio buttons and check boxes of panels, with texts in the current language.

import { element } from '@barrage/ui/dom.ts';
import { inLanguage, type Key, t } from './i18n.ts';

export function radio(name: string, value: string, checked: boolean, key: Key): HTMLElement {
  return element('label', 'radio', input('radio', name, value, checked), face(key));
}

export function checkbox(name: string, value: string, key: Key): HTMLElement {
  return element('label', 'radio', input('checkbox', name, value, false), face(key));
}

function face(key: Key): HTMLElement {
  const made = element('span', 'face');
  inLanguage(() => {
    made.textContent = t(key);
  });
  return made;
}

export function input(type: 'radio' | 'checkbox', name: string, value: string, checked: boolean): HTMLInputElement {
  const made = element('input', '');
  made.type = type;
  made.name = name;
  made.value = value;
  made.defaultChecked = checked;
  return made;
}
