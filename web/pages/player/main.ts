// Connects the parts: arriving messages go to the stage, the list, the banners and the status; the
// composer sends to the uplink.

import { Banners } from './stage/banners.ts';
import { Composer } from './chat/composer.ts';
import { byId, element, icon } from '@barrage/ui/dom.ts';
import { loadEmotes } from './chat/emotes.ts';
import { Hidden } from './chat/hidden.ts';
import { count, inLanguage, isolated, roleKey, switchLanguage, t, translatePage } from './page/i18n.ts';
import { List } from './chat/list.ts';
import { Pin } from './chat/pin.ts';
import { Rules } from './chat/rules.ts';
import { PollPanel } from './chat/poll.ts';
import { join, type Body, type Post, type RoomView, type Signal, type Style } from '@barrage/client';
import { readBody, readPoll, readVotes } from '@barrage/client/read';
import { Sampled } from './chat/sampled.ts';
import { Scene } from './stage/scene.ts';
import { entryOrigins, signIn, signOut } from './page/sign_in.ts';
import { Spoken } from './chat/spoken.ts';
import { Stage } from './stage/stage.ts';
import { Status } from './chat/status.ts';

const ROOM_DEFAULT = 'demo';
const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** Messages from before the page was opened, at most. */
const PAST_MAX = 30;
/** Reasons of an end that another token may take away. */
const REFUSED_TOKENS: ReadonlySet<string> = new Set(['unauthorized', 'token_expired', 'wrong_room']);
const ANNOUNCEMENT_MS = 12_000;
/** Hearts on the screen at once, at most. */
const HEARTS_MAX = 24;

let title = '';
const asked = new URLSearchParams(location.search).get('room') ?? '';
const roomId = ROOM_PATTERN.test(asked) ? asked : ROOM_DEFAULT;

inLanguage(() => {
  translatePage();
  byId('language').textContent = t('language');
  showTitle();
});
byId('language').addEventListener('click', switchLanguage);

const { name, token } = signIn();
const room = join({
  entry: [location.origin, ...entryOrigins()],
  room: roomId,
  token,
  guest: { name, prefix: t('viewer') },
});
const stage = new Stage(byId('flight'), byId('missed'));
const banners = new Banners(byId('banners'));
const list = new List(byId('list'), byId('log'), byId<HTMLButtonElement>('newer'), new Spoken(byId('spoken')));
const pin = new Pin(byId('pinned'));
const poll = new PollPanel(byId('poll'), { vote });
const sampled = new Sampled(byId('sampled'));
const rules = new Rules(byId('rules'), (of) => {
  title = of;
  showTitle();
});
const hidden = new Hidden();
const status = new Status(() => room.retry());
const composer = new Composer(room, { held: showHeld, liked: riseHeart });
new Scene(byId<HTMLCanvasElement>('scene'));

const toggle = byId('toggle');
toggle.addEventListener('click', () => {
  stage.show(!stage.visible);
  toggle.setAttribute('aria-pressed', String(stage.visible));
});

let pastShown = false;
let emotesLoaded: Promise<void> | undefined;
room.on('state', (state) => {
  status.state(state);
  composer.enable(state.kind !== 'ended');
  if (state.kind === 'open') composer.networkIsBack();
  if (state.kind === 'ended' && REFUSED_TOKENS.has(state.code)) signOut();
});
room.on('hello', (hello) => {
  if (hello.online !== null) status.online(hello.online);
  composer.show(room.canSend);
  poll.enable(room.canSend);
  emotesLoaded ??= loadEmotes(room);
  if (!pastShown) void showPast(hello.sequence);
  pastShown = true;
});
room.on('roomState', showState);
room.on('batch', ({ messages }) => {
  for (const { body, sequence } of messages) showBody(body, sequence);
});
room.on('pulse', (pulse) => {
  if (pulse.online !== undefined) status.online(pulse.online);
  if (pulse.likes) composer.likes(pulse.likes);
  for (const counts of pulse.polls ?? []) poll.votes(counts);
  sampled.pulse(pulse);
});
room.on('loss', ({ kind, count: lost }) => {
  if (kind === 'gone') list.say('gone');
  else list.leftOut(lost);
});
room.on('notice', ({ body, raw }) => {
  const text = (raw as { text?: unknown } | null)?.text;
  if (typeof text === 'string') list.quote(text);
  if (body?.type === 'signal') showSignal(body, null);
});

function originOf(user: string): 'own' | 'other' {
  return room.user !== null && user === room.user ? 'own' : 'other';
}

function showBody(body: Body, sequence: number): void {
  switch (body.type) {
    case 'chat':
      stage.fly(body, sequence, originOf(body.user));
      break;
    case 'gift':
      // Only the first gift of a combo is shown on the stage; its banner counts the others.
      if (banners.gift(body)) {
        const words = t('gave', { name: isolated(body.name), gift: isolated(body.gift.name), count: count(body.gift.count) });
        stage.flyPaid(words, body.user, sequence, originOf(body.user));
      }
      break;
    case 'super_chat':
      banners.superChat(body);
      stage.flyPaid(body.text, body.user, sequence, originOf(body.user));
      break;
    case 'signal':
      return showSignal(body, sequence);
    case 'event': {
      const { event, id, data, at_ms } = body;
      window.dispatchEvent(new CustomEvent('barrage:event', { detail: { event, id, data, at_ms, sequence } }));
      return;
    }
  }
  list.add(body, sequence, originOf(body.user));
}

function showState({ settings, pinned, poll: running }: RoomView): void {
  rules.show(settings);
  if (running) poll.open(running);
  else poll.gone();
  if (pinned) pin.show(pinned.body, pinned.sequence);
  else pin.hide();
}

function showTitle(): void {
  const words = title || t('room', { room: roomId });
  byId('room').textContent = words;
  document.title = `${words} · Barrage`;
}

/** Shows a signal of the room, or of a notice, which has no position in the room. */
function showSignal(signal: Signal, at: number | null): void {
  switch (signal.signal) {
    case 'mute_all':
      list.say(signal.on ? 'muteAll' : 'unmuteAll');
      break;
    case 'slow_mode':
      if (signal.secs) list.say('slowMode', { secs: signal.secs });
      else list.say('slowModeOff');
      break;
    case 'emotes':
      void loadEmotes(room);
      break;
    case 'speak':
      list.say(signal.shield ? 'shieldUp' : 'speakRules');
      break;
    case 'recall':
      if (signal.sequence === undefined) break;
      stage.recall(signal.sequence);
      list.recall(signal.sequence);
      pin.recall(signal.sequence);
      break;
    case 'purge':
      if (signal.user !== undefined && at !== null) purge(signal.user, at);
      break;
    case 'clear':
      if (at !== null) clear(at);
      break;
    case 'pin': {
      const body = readBody(signal.message);
      if (body && signal.sequence !== undefined) pin.show(body, signal.sequence);
      break;
    }
    case 'unpin':
      pin.hide();
      break;
    case 'role':
      if (signal.user === room.user) sayRole(signal.role);
      break;
    case 'warn':
      if (signal.user === room.user) overStage(signal.text ?? '');
      break;
    case 'mute':
      if (signal.user === room.user && signal.until_ms) composer.muteUntil(signal.until_ms);
      break;
    case 'unmute':
      if (signal.user !== room.user) break;
      composer.unmute();
      list.say('unmuted');
      break;
    case 'poll_open': {
      const opened = readPoll(signal.poll);
      if (opened) poll.open(opened);
      break;
    }
    case 'poll_close': {
      const closed = readPoll(signal.poll);
      if (closed) poll.close(closed, readVotes((signal.poll as { votes?: unknown }).votes));
      break;
    }
    case 'close':
      list.say('closed');
      break;
    case 'announcement':
      announce(signal.text ?? '');
      break;
  }
}

function purge(user: string, at: number): void {
  hidden.purge(user, at);
  stage.hide(user);
  banners.hide(user);
  list.purge(user);
  pin.purge(user);
}

function clear(at: number): void {
  hidden.clear(at);
  stage.hide(null);
  banners.hide(null);
  list.clear();
  pin.hide();
  list.say('cleared');
}

function sayRole(role: string | undefined): void {
  const key = roleKey(role);
  if (key) list.say('roleGiven', { role: t(key) });
  else list.say('roleTaken');
}

let announcementTimer: number | undefined;
function announce(text: string): void {
  overStage(text);
  list.quote(text);
}

function overStage(text: string): void {
  const place = byId('announcement');
  place.textContent = text;
  place.hidden = false;
  clearTimeout(announcementTimer);
  announcementTimer = setTimeout(() => {
    place.hidden = true;
  }, ANNOUNCEMENT_MS);
}

const STYLE_DEFAULT: Style = { mode: 'scroll', color: 0xffffff, size: 'normal' };

function showHeld(post: Post & { id: string }): void {
  if (post.type !== 'chat') return;
  const { id, text, style } = post;
  const body: Body = { type: 'chat', id, text, style: { ...STYLE_DEFAULT, ...style }, user: room.user ?? '', name: room.name, at_ms: Date.now() };
  stage.fly(body, null, 'own');
  list.add(body, null, 'own');
}

async function vote(id: string, option: number): Promise<number | null> {
  const sent = await room.vote(id, option);
  if (sent.kind === 'counted') return sent.option;
  composer.refused(sent);
  return null;
}

function riseHeart(): void {
  const hearts = byId('hearts');
  if (hearts.childElementCount >= HEARTS_MAX) return;
  const heart = element('span', 'heart', icon('heart'));
  heart.style.setProperty('--drift', `${Math.round((Math.random() - 0.5) * 60)}px`);
  heart.style.setProperty('--hue', String(330 + Math.round(Math.random() * 40)));
  heart.addEventListener('animationend', () => heart.remove());
  hearts.append(heart);
}

async function showPast(sequence: number): Promise<void> {
  if (sequence <= 0) return;
  await emotesLoaded;
  const { messages } = await room.history({ before: sequence + 1, limit: PAST_MAX });
  for (const { body, sequence: at } of messages) {
    if (body.type === 'signal' || body.type === 'event') continue;
    if (!hidden.has(body.user, at)) list.add(body, at, originOf(body.user));
  }
}
