// The items that a report has as evidence. Texts become text nodes.

import { element } from '@barrage/ui/dom.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { isolated } from '@barrage/ui/language.ts';
import { t } from '../i18n.ts';
import { type EvidenceItem, type Report } from './report.ts';

export function evidenceOf({ id, user, reporter, conversation, reason, evidence }: Report): HTMLElement[] {
  const head = element('h3', '', t('evidenceOf', { id }));
  const about = element('p', 'note', t('evidenceAbout', { user: isolated(user), reporter: isolated(reporter), conversation: isolated(conversation), reason: isolated(reason) }));
  const items = (evidence ?? []).filter(({ recalls }) => recalls === undefined);
  if (items.length === 0) return [head, about, element('p', 'note', t('evidenceNone'))];
  return [head, about, element('ol', 'plain evidence', ...items.map((item) => row(item, user)))];
}

function row(item: EvidenceItem, reported: string): HTMLElement {
  const name = typeof item.body?.name === 'string' ? item.body.name : item.sender;
  const words = element('bdi', 'words', wordsOf(item));
  words.dir = 'auto';
  const made = element('li', '', element('time', '', dateTime(item.at_ms)), element('bdi', 'sender', name === item.sender ? name : `${name} (${item.sender})`), words);
  if (item.sender === reported) made.dataset['level'] = 'bad';
  return made;
}

function wordsOf({ kind, body, recalled }: EvidenceItem): string {
  if (recalled) return t('evidenceRecalled');
  if (typeof body?.text === 'string') return body.text;
  return typeof body?.sticker === 'string' ? t('evidenceSticker', { id: body.sticker }) : `[${kind ?? ''}]`;
}
