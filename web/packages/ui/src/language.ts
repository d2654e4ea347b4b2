// The two languages: the choice, and how texts of a page are looked up and written.

import { keep, recall } from './storage.ts';

const KEY = 'barrage.language';

type Values = Record<string, string | number>;
type Language = 'zh' | 'en';

/** Texts of one page, in the current language. */
export interface Texts<Key extends string> {
  t: (key: Key, values?: Values) => string;
  isKey: (key: string) => key is Key;
  /** Writes a text into the node, now and after each change of the language. */
  say: (node: HTMLElement, key: Key, values?: Values) => void;
  /** Writes the texts of index.html and of all nodes that `say` wrote, in the current language. */
  translatePage: () => void;
}

let language: Language = preferred();
const listeners = new Set<() => void>();

function preferred(): Language {
  const chosen = recall('local', KEY);
  if (chosen === 'zh' || chosen === 'en') return chosen;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function locale(): string {
  return language === 'zh' ? 'zh-CN' : 'en';
}

export function count(value: number): string {
  return new Intl.NumberFormat(locale(), { notation: value >= 10_000 ? 'compact' : 'standard', maximumFractionDigits: 1 }).format(value);
}

/** Runs `apply` now and after each change of the language, until the returned function is called. */
export function inLanguage(apply: () => void): () => void {
  listeners.add(apply);
  apply();
  return () => listeners.delete(apply);
}

export function switchLanguage(): void {
  language = language === 'zh' ? 'en' : 'zh';
  keep('local', KEY, language);
  for (const listener of listeners) listener();
}

/** Wraps a name or text in Unicode isolates, so that its direction does not change the sentence around it. */
export function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** Makes the functions of a page from its texts in both languages. */
export function texts<Key extends string>(zh: Record<Key, string>, en: Record<Key, string>): Texts<Key> {
  const t = (key: Key, values: Values = {}): string => {
    const words = (language === 'zh' ? zh : en)[key];
    return words.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
  };
  const isKey = (key: string): key is Key => Object.hasOwn(zh, key);
  const say = (node: HTMLElement, key: Key, values: Values = {}): void => {
    node.dataset['say'] = key;
    node.dataset['values'] = JSON.stringify(values);
    node.textContent = t(key, values);
  };
  const translatePage = (): void => {
    document.documentElement.lang = locale();
    for (const node of document.querySelectorAll<HTMLElement>('[data-i18n]')) {
      node.textContent = t(node.dataset['i18n'] as Key);
    }
    for (const node of document.querySelectorAll<HTMLElement>('[data-say]')) {
      node.textContent = t(node.dataset['say'] as Key, JSON.parse(node.dataset['values'] ?? '{}') as Values);
    }
    for (const node of document.querySelectorAll<HTMLElement>('[data-i18n-label]')) {
      const label = t(node.dataset['i18nLabel'] as Key);
      node.setAttribute('aria-label', label);
      if (node instanceof HTMLButtonElement) node.title = label;
    }
    for (const node of document.querySelectorAll<HTMLElement>('[data-i18n-empty]')) {
      node.dataset['empty'] = t(node.dataset['i18nEmpty'] as Key);
    }
    for (const node of document.querySelectorAll<HTMLInputElement>('[data-i18n-placeholder]')) {
      node.placeholder = t(node.dataset['i18nPlaceholder'] as Key);
    }
  };
  return { t, isKey, say, translatePage };
}
