// Online count and the state of the connection.

import { type State } from './connection.ts';
import { byId } from './dom.ts';
import { count, inLanguage, isKey, t } from './i18n.ts';

export class Status {
  #state: State = { kind: 'connecting' };
  #online: number | null = null;
  #pill = byId('state');
  #text = byId('state-text');
  #count = byId('online-count');
  #curtain = byId('curtain');

  constructor() {
    inLanguage(() => {
      this.#write();
      this.#writeOnline();
    });
    setInterval(() => {
      if (this.#state.kind === 'waiting' || this.#state.kind === 'queued') this.#write();
    }, 500);
  }

  state(state: State): void {
    this.#state = state;
    this.#write();
  }

  online(online: number): void {
    this.#online = online;
    this.#writeOnline();
  }

  #writeOnline(): void {
    this.#count.textContent = this.#online === null ? '–' : count(this.#online);
  }

  #write(): void {
    this.#pill.dataset['state'] = this.#state.kind;
    const words = wordsOf(this.#state);
    // Only a change is written, so that a screen reader does not hear it twice.
    if (this.#text.textContent !== words) this.#text.textContent = words;
    this.#curtain.hidden = this.#state.kind !== 'ended';
    if (this.#state.kind === 'ended') this.#curtain.textContent = reasonOf(this.#state);
  }
}

function wordsOf(state: State): string {
  switch (state.kind) {
    case 'connecting':
      return t('stateConnecting');
    case 'open':
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

const CLOSE_ROOM_CLOSED = 4015;
const CLOSE_KICKED = 4016;

function reasonOf(state: { code: number; refusal: { code: string; message: string } | null }): string {
  if (state.code === CLOSE_ROOM_CLOSED) return t('closed');
  if (state.code === CLOSE_KICKED) return t('kicked');
  const key = `refused_${state.refusal?.code ?? ''}`;
  if (isKey(key)) return t(key);
  return t('ended', { message: state.refusal?.message ?? String(state.code) });
}
