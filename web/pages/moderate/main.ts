// Connects the parts: the sign-in, the stream of the room, the actions, and the panels that show it.

import { ApiFailure } from '@barrage/ui/api.ts';
import { byId } from '@barrage/ui/dom.ts';
import { duration } from '@barrage/ui/format.ts';
import { bindKeys } from '@barrage/ui/keys.ts';
import { inLanguage, isolated, switchLanguage } from '@barrage/ui/language.ts';
import { bindTheme } from '@barrage/ui/theme_button.ts';
import { join, type Body, type Room, type RoomView, type Signal, type State } from '@barrage/client';
import { readBody } from '@barrage/client/read';
import { type Action, type ActionAnswer, type Before } from './action.ts';
import { Chat, type Picked } from './chat/chat.ts';
import { mediaOf } from './chat/picture.ts';
import { LINE_ACTIONS, type LineAction } from './chat/toolbar.ts';
import { confirmed } from './confirm.ts';
import { Desk } from './desk.ts';
import { follow } from './feed.ts';
import { Card } from './panels/card.ts';
import { DockPanel } from './panels/dock.ts';
import { EmotePanel } from './panels/emotes.ts';
import { Gallery } from './panels/gallery.ts';
import { Meters } from './panels/meters.ts';
import { Polls } from './panels/poll.ts';
import { ReactionPanel } from './panels/reactions.ts';
import { Reviews } from './panels/reviews.ts';
import { RoomPanel } from './panels/room_panel.ts';
import { SuperChats } from './panels/super_chats.ts';
import { Words } from './panels/words.ts';
import { RoomApi, type Review } from './room_api.ts';
import { factsOf, NO_FACTS, type RoomFacts } from './room_facts.ts';
import { say, t, translatePage, type Key } from './texts/i18n.ts';
import { UserBook } from './user_book.ts';

/** Messages of the history that the chat begins with. */
const PAST = 100;

/** The console after the sign-in. */
class Console {
  readonly #book = new UserBook();
  readonly #desk: Desk;
  readonly #chat: Chat;
  readonly #card: Card;
  readonly #reviews: Reviews;
  readonly #room: RoomPanel;
  readonly #reactions: ReactionPanel;
  readonly #meters: Meters;
  readonly #polls: Polls;
  readonly #words: Words;
  readonly #superChats: SuperChats;
  readonly #dock: DockPanel;
  readonly #gallery: Gallery;
  readonly #emotes: EmotePanel;
  #facts: RoomFacts = NO_FACTS;
  /** Messages of the stream that arrive before the history is shown; null afterwards. */
  #early: [Body, number][] | null = [];

  constructor(
    private readonly api: RoomApi,
    private readonly room: Room,
    private readonly name: string,
    token: string,
  ) {
    this.#desk = new Desk(api, { before: (user) => this.#before(user), done: (action, answer) => this.#done(action, answer), signedOut });
    this.#card = new Card(api, this.#desk, this.#book);
    this.#chat = new Chat((action, picked) => void this.#onLine(action, picked));
    this.#room = new RoomPanel(this.#desk);
    this.#reactions = new ReactionPanel(this.#desk, () => room.uplinks());
    this.#superChats = new SuperChats(this.#desk);
    this.#dock = new DockPanel(api, this.#desk);
    this.#gallery = new Gallery(api, this.#desk);
    this.#emotes = new EmotePanel(api, this.#desk, token);
    this.#polls = new Polls(api, this.#desk);
    this.#words = new Words(api, this.#desk, (words) => this.#meters.words(words));
    this.#reviews = new Reviews(api, this.#desk, {
      own: () => room.user,
      seen: (reviews) => this.#sawReviews(reviews),
      openCard: (user) => this.#card.open(user),
      signedOut,
    });
    this.#meters = new Meters(room, () => this.#reviews.waiting);
    follow(room, {
      state: tellState,
      message: (body, sequence) => (this.#early ? this.#early.push([body, sequence]) : this.#message(body, sequence)),
      roomState: (view) => this.#state(view),
      pulse: (pulse) => {
        this.#meters.pulse(pulse);
        if (pulse.polls) this.#polls.votes(pulse.polls);
      },
      leftOut: (count) => this.#meters.leftOut(count),
    });
    void this.#past();
    this.#bind();
    inLanguage(() => this.#title());
  }

  stop(): void {
    this.room.close();
    for (const part of [this.#reviews, this.#words, this.#polls, this.#meters, this.#superChats, this.#dock, this.#gallery]) part.stop();
  }

  /** Shows the history, then what arrived meanwhile and is not in it. */
  async #past(): Promise<void> {
    let last = 0;
    try {
      for (const { body: raw, sequence } of (await this.api.history(null, PAST)).messages) {
        const body = readBody(raw);
        if (!body) continue;
        last = sequence;
        this.#show(body, sequence);
      }
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#chat.note(t('noHistory', { message: isolated(error.message) }));
    }
    const early = this.#early ?? [];
    this.#early = null;
    for (const [body, sequence] of early) {
      if (sequence > last) this.#message(body, sequence);
      else if (body.type === 'signal') this.#signal(body, sequence);
    }
  }

  #message(body: Body, sequence: number): void {
    this.#meters.message(body);
    if (body.type === 'signal') this.#signal(body, sequence);
    this.#show(body, sequence);
  }

  #show(body: Body, sequence: number): void {
    if (body.type !== 'signal' && body.type !== 'event') {
      this.#book.add(body, sequence);
      if (this.#card.user === body.user) this.#card.refresh();
    }
    this.#chat.add(body, sequence);
  }

  /** Marks what a signal hides, and notes who was removed. */
  #signal(signal: Signal, sequence: number): void {
    const { user } = signal;
    if (signal.signal === 'recall' && signal.sequence !== undefined) {
      this.#chat.hide(signal.sequence);
      this.#book.hide(signal.sequence);
      this.#gallery.hide((one) => one.sequence === signal.sequence);
    } else if (signal.signal === 'purge' && user !== undefined) {
      this.#chat.purge(user, sequence);
      this.#book.purge(user, sequence);
      this.#gallery.hide((one) => one.user === user && one.sequence < sequence);
    } else if (signal.signal === 'clear') {
      this.#chat.clear(sequence);
      this.#book.clear(sequence);
      this.#gallery.hide((one) => one.sequence < sequence);
    } else if (signal.signal === 'kick' && user !== undefined) {
      this.#book.of(user).bannedUntilMs = signal.until_ms ?? 0;
    } else if (signal.signal === 'emotes') return void this.#emotes.read();
    else return;
    this.#card.refresh();
  }

  #state(view: RoomView): void {
    this.#facts = factsOf(view);
    this.#room.show(this.#facts);
    this.#reactions.show(this.#facts.reactions);
    this.#polls.show(this.#facts.poll);
    this.#superChats.show(this.#facts.superChats);
    this.#title();
  }

  #title(): void {
    const words = this.#facts.title || this.name;
    byId('heading').textContent = t('titleOf', { room: isolated(words) });
    document.title = `${words} · ${t('title')}`;
  }

  #before(user: string | null): Before {
    const { slowModeSecs, delaySecs, reactions, muteAll, shield, speak, pinned } = this.#facts;
    const facts = user === null ? null : this.#book.of(user);
    return { nowMs: Date.now(), slowModeSecs, delaySecs, reactions, muteAll, shield, speak, pinned: pinned?.sequence ?? null, mutedUntilMs: facts?.mutedUntilMs ?? 0, bannedUntilMs: facts?.bannedUntilMs ?? 0 };
  }

  /** Notes the mutes and bans of own actions: the server lists them to admins alone. */
  #done(action: Action, answer: ActionAnswer): void {
    if (!('user' in action)) return;
    const facts = this.#book.of(action.user);
    if (action.type === 'mute') facts.mutedUntilMs = answer.until_ms ?? Date.now() + 1_000 * action.secs;
    if (action.type === 'unmute') facts.mutedUntilMs = 0;
    if (action.type === 'ban' || action.type === 'kick') facts.bannedUntilMs = answer.until_ms ?? facts.bannedUntilMs;
    if (action.type === 'unban') facts.bannedUntilMs = 0;
    this.#card.refresh();
  }

  #sawReviews(reviews: Review[]): void {
    for (const { id, user, rule, matched, detail, at_ms: atMs } of reviews) this.#book.hit(user, { id, rule, matched: matched ?? detail, atMs });
  }

  async #onLine(action: LineAction, { sequence, body }: Picked): Promise<void> {
    const { user } = body;
    const name = isolated(body.name || user);
    const mute = (minutes: number) => this.#desk.act({ type: 'mute', user, secs: 60 * minutes }, t('didMute', { user: name, minutes }));
    switch (action) {
      case 'delete':
        return void (await this.#desk.act({ type: 'recall', sequence }, t('didDelete', { user: name })));
      case 'mute1':
        return void (await mute(1));
      case 'mute10':
        return void (await mute(10));
      case 'mute60':
        return void (await mute(60));
      case 'kick':
        return void (await this.#desk.act({ type: 'kick', user }, t('didKick', { user: name })));
      case 'ban':
        return void (await this.#desk.act({ type: 'ban', user, secs: 86_400 }, t('didBan', { user: name })));
      case 'purge':
        if (!(await confirmed(t('purgeAsk', { user: name }), t('purgeEffect')))) return;
        return void (await this.#desk.act({ type: 'purge', user }, t('didPurge', { user: name })));
      case 'pin':
        return void (await this.#desk.act({ type: 'pin', sequence }, t('didPin', { user: name })));
      case 'card':
        return this.#card.open(user);
    }
  }

  #bind(): void {
    const onLine = (action: LineAction) => () => {
      const { picked } = this.#chat;
      if (picked) void this.#onLine(action, picked);
    };
    bindKeys([
      { label: 'keySelect', keys: [['ArrowUp', () => this.#chat.move(-1)], ['ArrowDown', () => this.#chat.move(1)]] },
      ...LINE_ACTIONS.map(([action, key, label]) => ({ label, keys: [[key, onLine(action)] as [string, () => void]] })),
      { label: 'keyPause', keys: [[' ', () => this.#chat.toggleStop()]] },
      { label: 'keyLive', keys: [['Escape', () => this.#escape()]] },
      { label: 'keyUndo', keys: [['z', () => void this.#desk.undoLast()]] },
      { label: 'keyShield', keys: [['s', () => this.#room.toggleShield()]] },
      { label: 'keyReview', keys: [['[', () => this.#reviews.move(-1)], [']', () => this.#reviews.move(1)]] },
      { label: 'approve', keys: [['a', () => this.#reviews.decide('approve')]] },
      { label: 'deny', keys: [['x', () => this.#reviews.decide('deny')]] },
      { label: 'denyAndMute', keys: [['m', () => this.#reviews.decide('deny_and_mute')]] },
    ], t);
  }

  #escape(): void {
    this.#chat.select(null);
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  }
}

inLanguage(() => {
  for (const option of document.querySelectorAll<HTMLOptionElement>('#poll-secs option, #dock-secs option')) option.textContent = duration(Number(option.value));
});

const form = byId<HTMLFormElement>('sign-in');
const roomField = byId<HTMLInputElement>('room');
const field = byId<HTMLInputElement>('token');
const button = byId<HTMLButtonElement>('sign-in-go');
let running: Console | null = null;

function tellState(state: State): void {
  const chip = byId('state');
  chip.dataset['state'] = state.kind;
  say(chip, `state_${state.kind}`, { message: state.kind === 'ended' ? state.message : '' });
}

function tellSignIn(key: Key | null, values: Record<string, string> = {}): void {
  const place = byId('sign-in-problem');
  place.textContent = key ? t(key, values) : '';
  place.hidden = key === null;
}

/** Forgets the token, and shows the sign-in again: panels are built once, so the page is loaded anew. */
function signedOut(): void {
  running?.stop();
  location.reload();
}

async function signIn(token: string, name: string): Promise<void> {
  button.disabled = true;
  tellSignIn(null);
  mediaOf(name);
  const room = join({ room: name, token: () => token, background: 'all' });
  try {
    const api = new RoomApi(room);
    // Refused to viewers: whoever reads the queue may use the console.
    await api.reviews();
    field.value = '';
    history.replaceState(null, '', `?room=${encodeURIComponent(name)}`);
    byId('login').hidden = true;
    for (const id of ['app', 'sign-out', 'state', 'shield']) byId(id).hidden = false;
    running = new Console(api, room, name, token);
    // The top bar stays in view.
    byId('content').focus({ preventScroll: true });
  } catch (error) {
    room.close();
    if (!(error instanceof ApiFailure)) throw error;
    const keys: Partial<Record<ApiFailure['kind'], Key>> = { unauthorized: 'signInFailed', forbidden: 'signInRole', missing: 'signInRoom', network: 'signInNetwork' };
    tellSignIn(keys[error.kind] ?? 'signInOther', { message: error.message });
    field.focus();
  } finally {
    button.disabled = false;
  }
}

/** Returns the token of `#token=`, and removes it from the address bar and the history. */
function takeToken(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const token = field.value.trim();
  if (token) void signIn(token, roomField.value.trim());
});
byId('sign-out').addEventListener('click', signedOut);
byId('language').addEventListener('click', switchLanguage);
bindTheme(byId<HTMLButtonElement>('theme'));
inLanguage(() => {
  translatePage();
  byId('language').textContent = t('language');
  if (!running) document.title = t('title');
});
roomField.value = new URLSearchParams(location.search).get('room') ?? '';
const given = takeToken();
if (given && roomField.value) void signIn(given, roomField.value);
else {
  field.value = given;
  (roomField.value ? field : roomField).focus();
}
