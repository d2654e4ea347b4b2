// One line of the chat as nodes. Texts of users become text nodes.

import { element } from '@barrage/ui/dom.ts';
import { clock, number } from '@barrage/ui/format.ts';
import { isolated } from '@barrage/ui/language.ts';
import { type Body, type Signal } from '@barrage/client';
import { isKey, t } from '../texts/i18n.ts';
import { type Line } from './log.ts';
import { pictureOf } from './picture.ts';

/** Creates the row of a line. A row of a message can be selected. */
export function rowOf(line: Line, note: string | null): HTMLElement {
  const { body } = line;
  if (body === null || body.type === 'signal') {
    const row = element('li', 'row note', note ?? (body === null ? '' : signalText(body)));
    row.dir = 'auto';
    return row;
  }
  if (body.type === 'event') return element('li', 'row note', t('customEvent', { event: isolated(body.event) }));
  const row = element('li', `row ${body.type}`, time(body.at_ms), ...nameOf(body), contentOf(body));
  row.dataset['key'] = String(line.key);
  row.tabIndex = -1;
  markRow(row, line);
  return row;
}

/** Shows on a row whether its message is hidden from the viewers. */
export function markRow(row: HTMLElement, line: Line): void {
  row.classList.toggle('gone', line.hidden);
  row.querySelector('.gone-mark')?.remove();
  if (line.hidden) row.querySelector('.words')?.after(' ', element('span', 'badge gone-mark', t('hidden')));
}

function time(ms: number): HTMLElement {
  const made = element('time', '', clock(ms));
  made.dateTime = Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : '';
  return made;
}

/** Creates the name with its role and badges. */
export function nameOf(from: { user: string; name: string; role?: string | undefined; attrs?: { badges: string[]; level?: number } | null | undefined }): Node[] {
  const name = element('bdi', 'who', from.name || from.user);
  const labels = [...(from.attrs?.badges ?? [])].map((badge) => badge.replace('/', ' '));
  if (from.attrs?.level !== undefined) labels.push(`Lv ${from.attrs.level}`);
  const role = `role_${from.role ?? ''}`;
  const marks = labels.map((label) => element('span', 'badge', label));
  if (isKey(role)) marks.unshift(element('span', 'badge role', t(role)));
  return [...marks, name];
}

/** Creates the part of a message that its sender chose. */
export function contentOf(body: Body): HTMLElement {
  const words = element('span', 'words');
  words.dir = 'auto';
  if (body.type === 'gift') words.append(t('gaveGift', { gift: isolated(body.gift.name), count: number(body.gift.count) }));
  else if (body.type === 'super_chat') words.append(element('span', 'badge paid', money(body.amount_minor, body.currency)), ' ', body.text);
  else if (body.type === 'chat') words.append(body.text, ...(body.media === undefined ? [] : [pictureOf(body.media, body.name || body.user)]));
  return words;
}

function money(minor: number, currency: string): string {
  return `${number(minor / 100, 2)} ${currency.slice(0, 3)}`;
}

/** Returns the sentence of a signal; empty for one that the console does not show. */
export function signalText(signal: Signal): string {
  const user = isolated(signal.user ?? '');
  switch (signal.signal) {
    case 'mute_all':
      return t(signal.on === true ? 'sawMuteAll' : 'sawMuteAllOff');
    case 'slow_mode':
      return signal.secs ? t('sawSlowMode', { secs: signal.secs }) : t('sawSlowModeOff');
    case 'moderation_delay':
      return signal.secs ? t('sawDelay', { secs: signal.secs }) : t('sawDelayOff');
    case 'reactions':
      return t('sawReactions');
    case 'recall':
      return '';
    case 'purge':
      return t('sawPurge', { user });
    case 'clear':
      return t('sawClear');
    case 'kick':
      return t('sawKick', { user });
    case 'speak':
      return t(signal.shield === true ? 'sawShield' : 'sawSpeak');
    case 'pin':
      return t('sawPin');
    case 'unpin':
      return t('sawUnpin');
    case 'role':
      return t('sawRole', { user, role: isolated(signal.role ?? '') });
    case 'announcement':
      return t('sawAnnouncement', { text: isolated(signal.text ?? '') });
    case 'poll_open':
      return t('sawPollOpen');
    case 'poll_close':
      return t('sawPollClose');
    case 'open':
      return t('sawOpen');
    case 'close':
      return t('sawClose');
    default:
      return '';
  }
}
