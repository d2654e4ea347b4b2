// Rules of the whole room: slow mode, mute-all, who may speak, the shield, the pinned message, announcements.

import { byId, element } from '@barrage/ui/dom.ts';
import { duration } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { type Action } from '../action.ts';
import { contentOf, nameOf } from '../chat/lines.ts';
import { confirmed } from '../confirm.ts';
import { type Desk } from '../desk.ts';
import { say, t, type Key } from '../texts/i18n.ts';
import { NO_FACTS, type RoomFacts } from '../room_facts.ts';

/** Rules with a switch: the action that sets each, and how it is read. */
const SWITCHES: { id: string; label: Key; on: (facts: RoomFacts) => boolean; action: (on: boolean) => Action }[] = [
  { id: 'mute-all', label: 'muteAll', on: ({ muteAll }) => muteAll, action: (on) => ({ type: 'mute_all', on }) },
  { id: 'links-off', label: 'linksOff', on: ({ speak }) => speak.links_off === true, action: (on) => ({ type: 'speak', rule: { links_off: on } }) },
  { id: 'emote-only', label: 'emoteOnly', on: ({ speak }) => speak.emote_only === true, action: (on) => ({ type: 'speak', rule: { emote_only: on } }) },
];

/** Rules with a number out of a list. */
const CHOICES: { id: string; label: Key; values: number[]; value: (facts: RoomFacts) => number; text: (value: number) => string; action: (value: number) => Action }[] = [
  { id: 'slow-mode', label: 'slowMode', values: [0, 3, 5, 10, 30, 60, 120, 300], value: ({ slowModeSecs }) => slowModeSecs, text: secsText, action: (secs) => ({ type: 'slow_mode', secs }) },
  { id: 'delay', label: 'moderationDelay', values: [0, 2, 4, 6, 10], value: ({ delaySecs }) => delaySecs, text: secsText, action: (secs) => ({ type: 'moderation_delay', secs }) },
  { id: 'unique', label: 'uniqueSecs', values: [0, 10, 30, 60, 300, 3_600], value: ({ speak }) => speak.unique_secs ?? 0, text: secsText, action: (secs) => ({ type: 'speak', rule: { unique_secs: secs } }) },
  { id: 'level', label: 'levelMin', values: [0, 2, 5, 10, 20], value: ({ speak }) => speak.level_min ?? 0, text: (level) => (level === 0 ? t('off') : String(level)), action: (level) => ({ type: 'speak', rule: { level_min: level } }) },
  { id: 'member', label: 'memberDays', values: [0, 1, 7, 30, 365], value: ({ speak }) => speak.member_days_min ?? 0, text: (days) => (days === 0 ? t('off') : t('days', { days })), action: (days) => ({ type: 'speak', rule: { member_days_min: days } }) },
  { id: 'placed', label: 'placedMin', values: [0, 1, 2], value: ({ speak }) => ROLES.indexOf(speak.placed_role_min ?? 'moderator'), text: (at) => t(`role_${roleAt(at)}`), action: (at) => ({ type: 'speak', rule: { placed_role_min: roleAt(at) } }) },
  { id: 'pictures', label: 'picturesMin', values: [0, 1, 2, 3], value: ({ speak }) => 1 + ROLES.findIndex((role) => role === speak.media_role_min), text: (at) => (at === 0 ? t('off') : t(`role_${roleAt(at - 1)}`)), action: (at) => ({ type: 'speak', rule: { media_role_min: at === 0 ? 'off' : roleAt(at - 1) } }) },
];

/** Roles in the order of their rights, which the list of a rule numbers. */
const ROLES = ['viewer', 'moderator', 'host'] as const;

function roleAt(at: number): (typeof ROLES)[number] {
  return ROLES[at] ?? 'moderator';
}

function secsText(secs: number): string {
  return secs === 0 ? t('off') : duration(secs);
}

export class RoomPanel {
  readonly #shield = byId<HTMLButtonElement>('shield');
  readonly #boxes = new Map<string, HTMLInputElement>();
  readonly #lists = new Map<string, HTMLSelectElement>();
  #facts: RoomFacts = NO_FACTS;

  constructor(private readonly desk: Desk) {
    this.#shield.addEventListener('click', () => this.toggleShield());
    byId('unpin').addEventListener('click', () => void desk.act({ type: 'unpin' }, t('didUnpin')));
    byId('clear').addEventListener('click', () => void this.#clear());
    byId<HTMLFormElement>('announce-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const field = byId<HTMLInputElement>('announce-text');
      const text = field.value.trim();
      if (text === '') return;
      void desk.act({ type: 'announce', text }, t('didAnnounce')).then((done) => {
        if (done) field.value = '';
      });
    });
    byId('room-rules').append(...CHOICES.map((choice) => this.#choice(choice)), ...SWITCHES.map((one) => this.#switch(one)));
    inLanguage(() => this.show(this.#facts));
  }

  toggleShield(): void {
    const on = !this.#facts.shield;
    void this.desk.act({ type: 'shield', on }, t(on ? 'didShield' : 'didShieldOff'));
  }

  show(facts: RoomFacts): void {
    this.#facts = facts;
    this.#shield.setAttribute('aria-pressed', String(facts.shield));
    say(this.#shield, facts.shield ? 'shieldUp' : 'shieldDown');
    for (const one of SWITCHES) {
      const box = this.#boxes.get(one.id);
      if (box) box.checked = one.on(facts);
    }
    for (const choice of CHOICES) {
      const list = this.#lists.get(choice.id);
      if (list) fillChoice(list, choice, facts);
    }
    const { pinned } = facts;
    const body = pinned?.body ?? null;
    byId('pinned').hidden = body === null;
    if (body && body.type !== 'signal' && body.type !== 'event') byId('pinned-text').replaceChildren(...nameOf(body), ' ', contentOf(body));
  }

  async #clear(): Promise<void> {
    if (await confirmed(t('clear'), t('clearEffect'))) await this.desk.act({ type: 'clear' }, t('didClear'));
  }

  #switch(one: (typeof SWITCHES)[number]): HTMLElement {
    const box = element('input', '');
    box.type = 'checkbox';
    box.id = one.id;
    this.#boxes.set(one.id, box);
    const label = element('span', '');
    say(label, one.label);
    box.addEventListener('change', () => {
      const on = box.checked;
      void this.desk.act(one.action(on), t(on ? 'didSet' : 'didUnset', { what: isolated(t(one.label)) })).then((done) => {
        if (!done) this.show(this.#facts);
      });
    });
    return element('label', 'check', box, label);
  }

  #choice(choice: (typeof CHOICES)[number]): HTMLElement {
    const list = element('select', '');
    list.id = choice.id;
    this.#lists.set(choice.id, list);
    const label = element('span', '');
    say(label, choice.label);
    list.addEventListener('change', () => {
      const value = Number(list.value);
      void this.desk.act(choice.action(value), t('didChoose', { what: isolated(t(choice.label)), value: choice.text(value) })).then((done) => {
        if (!done) this.show(this.#facts);
      });
    });
    return element('label', 'field', label, list);
  }
}

function fillChoice(list: HTMLSelectElement, choice: (typeof CHOICES)[number], facts: RoomFacts): void {
  const value = choice.value(facts);
  const values = choice.values.includes(value) ? choice.values : [...choice.values, value].sort((a, b) => a - b);
  list.replaceChildren(...values.map((one) => new Option(choice.text(one), String(one))));
  list.value = String(value);
}
