// Sentences about refusals and items, and the times of the list. Pure but for the language.

import { type Item } from '@barrage/client/inbox';
import { isKey, isolated, locale, t } from './i18n.ts';

const DAY_MS = 86_400_000;

/** Returns why the server, or the network, did not take a request. */
export function whyOf({ code, message }: { code: string; message: string }): string {
  const key = `refused_${code}`;
  return isKey(key) ? t(key) : t('refused_other', { message: message || code });
}

/** Returns what a sender wrote, as one line. */
export function lineOf({ kind, body, recalled }: Item): string {
  if (recalled) return t('recalledLine');
  switch (kind) {
    case 'text':
      return textOf(body);
    case 'file':
      return [fileLine(body), textOf(body)].filter((words) => words !== '').join(' ');
    case 'sticker':
    case 'image':
      return [t(kind), textOf(body)].filter((words) => words !== '').join(' ');
    default:
      return t('unknownKind');
  }
}

/** Returns what a letter of the kind `file` has: a clip, a voice note, or a file by its name. */
function fileLine(body: Item['body']): string {
  const kind = (body?.['media'] as { kind?: unknown } | null | undefined)?.kind;
  if (kind === 'video') return t('clip');
  if (kind === 'audio') return t('voice');
  return kind === 'image' ? t('image') : fileNameOf(body) || t('file');
}

/** Returns the name of a file as its sender gave it; empty without one. */
export function fileNameOf(body: Item['body']): string {
  const name = body?.['file_name'];
  return typeof name === 'string' ? name : '';
}

export function textOf(body: Item['body']): string {
  const text = body?.['text'];
  return typeof text === 'string' ? text : '';
}

/** Returns the name that the sender had; null for an item without one. */
export function nameIn({ body }: Item): string | null {
  const name = body?.['name'];
  return typeof name === 'string' && name !== '' ? name : null;
}

/** Returns the id of the sender's avatar; undefined without one. */
export function avatarIn({ body }: Item): string | undefined {
  const avatar = body?.['avatar'];
  return typeof avatar === 'string' ? avatar : undefined;
}

/** Returns the name of a user in a sentence of any direction. */
export function inSentence(name: string): string {
  return isolated(name);
}

/** Returns a day as a heading: today, yesterday, or its date. */
export function dayOf(atMs: number, nowMs: number): string {
  const days = dayNumber(nowMs) - dayNumber(atMs);
  if (days === 0) return t('today');
  if (days === 1) return t('yesterday');
  return new Intl.DateTimeFormat(locale(), { year: 'numeric', month: 'long', day: 'numeric' }).format(atMs);
}

export function timeOf(atMs: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(atMs);
}

/** Returns the time of a conversation's newest item: a time of today, a weekday of this week, or a date. */
export function whenOf(atMs: number, nowMs: number): string {
  if (atMs === 0) return '';
  const days = dayNumber(nowMs) - dayNumber(atMs);
  if (days <= 0) return timeOf(atMs);
  if (days < 7) return new Intl.DateTimeFormat(locale(), { weekday: 'short' }).format(atMs);
  return new Intl.DateTimeFormat(locale(), { year: '2-digit', month: '2-digit', day: '2-digit' }).format(atMs);
}

/** Returns the number of a day in the time zone of this device. */
export function dayNumber(ms: number): number {
  return Math.floor((ms - new Date(ms).getTimezoneOffset() * 60_000) / DAY_MS);
}
