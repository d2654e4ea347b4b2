// Shows the number of viewers and the state of the connection.

import { type State } from '@barrage/client';
import { byId } from '@barrage/ui/dom.ts';
import { count, inLanguage, isKey, locale, t } from '../page/i18n.ts';

export class Status {
  #state: State = { kind: 'connecting', sinceMs: 0, reason: { code: 'start', message: '' } };
  #online: number | null = null;
  #wasOpen = false;
  #pill = byId('state');
  #text = byId('state-text');
  #count = byId('online-count');
  #curtain = byId('curtain');
  #reason = byId('reason');
  #more = byId('reason-more');
  #badge = byId('live-text');

  /** Calls `now` when the viewer does not want to wait for the next attempt. */
  constructor(now: () => void) {
    for (const id of ['now', 'look']) byId(id).addEventListener('click', now);
    inLanguage(() => {
      this.#write();
      this.#writeOnline();
    });
    setInterval(() => {
      if (this.#state.kind !== 'waiting' && this.#state.kind !== 'queued') return;
      // A screen reader reads the new state, and not every second of the countdown.
      this.#pill.setAttribute('aria-live', 'off');
      this.#write();
    }, 500);
  }

  state(state: State): void {
    this.#state = state;
    this.#pill.setAttribute('aria-live', 'polite');
    this.#write();
    this.#writeOnline();
  }

  online(online: number): void {
    this.#online = online;
    this.#writeOnline();
  }

  /** Shows the number of viewers only while connected: an older number may be wrong. */
  #writeOnline(): void {
    const known = isOpen(this.#state) && this.#online !== null;
    this.#count.textContent = known ? count(this.#online!) : '–';
  }

  #write(): void {
    this.#pill.dataset['state'] = isOpen(this.#state) ? 'open' : this.#state.kind;
    // For those who look for the cause of a slow connection, and for tests.
    this.#pill.dataset['transport'] = isOpen(this.#state) ? this.#state.transport : '';
    const words = wordsOf(this.#state);
    // The text is written only when it changes, so that a screen reader does not read it twice.
    if (this.#text.textContent !== words) this.#text.textContent = words;
    const state = this.#state;
    byId('now').hidden = state.kind !== 'waiting';
    if (isOpen(state)) this.#wasOpen = true;
    // Before the first connection the badge shows nothing.
    const air = AIR[state.kind];
    byId('stage').dataset['air'] = air === 'away' && !this.#wasOpen ? 'soon' : air;
    const badge = t(air);
    if (this.#badge.textContent !== badge) this.#badge.textContent = badge;
    this.#curtain.hidden = state.kind !== 'ended';
    if (state.kind !== 'ended') return;
    this.#reason.textContent = reasonOf(state);
    const looks = state.code === 'room_closed' || state.code === 'unknown_room';
    byId('look').hidden = !looks;
    this.#more.textContent = looks ? t('lookingAgain') : state.untilMs ? t('backAt', { time: clock(state.untilMs) }) : '';
  }
}

/** Whether messages arrive. During a move the old connection carries. */
function isOpen(state: State): state is Extract<State, { transport: unknown }> {
  return state.kind === 'open' || state.kind === 'moving';
}

function wordsOf(state: State): string {
  switch (state.kind) {
    case 'connecting':
      return t('stateConnecting');
    case 'open':
    case 'moving':
      return t('stateOpen');
    case 'waiting':
    case 'queued': {
      const secs = Math.ceil((state.untilMs - Date.now()) / 1000);
      if (secs <= 0) return t('stateConnecting');
      return t(state.kind === 'queued' ? 'stateQueued' : 'stateWaiting', { secs });
    }
    case 'ended':
      return t('stateEnded');
  }
}

/** Text of the badge on the stage. */
const AIR: Record<State['kind'], 'live' | 'away' | 'over'> = {
  connecting: 'away',
  open: 'live',
  moving: 'live',
  waiting: 'away',
  queued: 'away',
  ended: 'over',
};

function reasonOf({ code, message }: { code: string; message: string }): string {
  const key = `refused_${code}`;
  return isKey(key) ? t(key) : t('ended', { message });
}

function clock(ms: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }).format(ms);
}
