// Connects the parts: arriving messages go to the stage, the list, the banners and the status; the
// composer sends to the uplink.

import { Banners } from './stage/banners.ts';
import { Composer } from './chat/composer.ts';
import { Connection } from '@barrage/client/connection.ts';
import { byId, element, icon } from '@barrage/ui/dom.ts';
import { Entry } from '@barrage/client/entry.ts';
import { entryOrigins } from '@barrage/client/asking.ts';
import { loadEmotes } from './chat/emotes.ts';
import { Hidden } from './chat/hidden.ts';
import { count, inLanguage, isolated, roleKey, switchLanguage, t, translatePage } from './page/i18n.ts';
import { Identity } from '@barrage/client/identity.ts';
import { List } from './chat/list.ts';
import { past } from '@barrage/client/past.ts';
import { Pin } from './chat/pin.ts';
import { Rules } from './chat/rules.ts';
import { PollPanel } from './chat/poll.ts';
import { readBody, readPoll, readVotes, type Body, type Post, type Signal, type VoteAnswer } from '@barrage/client/protocol.ts';
import { Sampled } from './chat/sampled.ts';
import { merge, type RoomState } from '@barrage/client/state.ts';
import { Scene } from './stage/scene.ts';
import { Sender } from '@barrage/client/sender.ts';
import { Spoken } from './chat/spoken.ts';
import { Stage } from './stage/stage.ts';
import { Status } from './chat/status.ts';

const ROOM_DEFAULT = 'demo';
const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
const ANNOUNCEMENT_MS = 12_000;
/** Hearts on the screen at once, at most. */
const HEARTS_MAX = 24;

let title = '';
const asked = new URLSearchParams(location.search).get('room') ?? '';
const room = ROOM_PATTERN.test(asked) ? asked : ROOM_DEFAULT;

inLanguage(() => {
  translatePage();
  byId('language').textContent = t('language');
  showTitle();
});
byId('language').addEventListener('click', switchLanguage);

const identity = Identity.fromPage(t('viewer'));
const entry = new Entry(room, entryOrigins());
const sender = new Sender(room, identity, entry);
const stage = new Stage(byId('flight'), byId('missed'));
const banners = new Banners(byId('banners'));
const list = new List(byId('list'), byId('log'), byId<HTMLButtonElement>('newer'), new Spoken(byId('spoken')));
const pin = new Pin(byId('pinned'));
const poll = new PollPanel(byId('poll'), { vote });
const sampled = new Sampled(byId('sampled'));
const roomState: RoomState = {};
const rules = new Rules(byId('rules'), (of) => {
  title = of;
  showTitle();
});
const hidden = new Hidden();
const status = new Status(() => connection.now());
const composer = new Composer(sender, { held: showHeld, liked: riseHeart });
new Scene(byId<HTMLCanvasElement>('scene'));

const toggle = byId('toggle');
toggle.addEventListener('click', () => {
  stage.show(!stage.visible);
  toggle.setAttribute('aria-pressed', String(stage.visible));
});

let pastShown = false;
let emotesLoaded: Promise<void> | undefined;
const connection = new Connection(identity, entry, {
  state: (state) => {
    status.state(state);
    composer.enable(state.kind !== 'ended');
    if (state.kind === 'open') composer.networkIsBack();
  },
  hello: (hello) => {
    if (hello.user) identity.user = hello.user;
    if (hello.online !== null) status.online(hello.online);
    takeState(hello.state);
    composer.show(identity.canSend);
    poll.enable(identity.canSend);
    emotesLoaded ??= loadEmotes(room, identity, entry);
    if (!pastShown) void showPast(hello.sequence);
    pastShown = true;
  },
  roomState: takeState,
  messages: (messages) => {
    for (const message of messages) {
      const body = readBody(message.body);
      if (body) showBody(body, message.sequence);
    }
  },
  pulse: (pulse) => {
    if (pulse.online !== undefined) status.online(pulse.online);
    if (pulse.likes) composer.likes(pulse.likes);
    for (const counts of pulse.polls ?? []) poll.votes({ id: counts.id, votes: readVotes(counts.votes) });
    sampled.pulse(pulse);
  },
  leftOut: (count) => list.leftOut(count),
  gone: () => list.say('gone'),
  notice: (body) => {
    const text = (body as { text?: unknown } | null)?.text;
    if (typeof text === 'string') list.quote(text);
    const signal = readBody(body);
    if (signal?.type === 'signal') showSignal(signal, null);
  },
});
connection.start();

function originOf(user: string): 'own' | 'other' {
  return identity.user !== null && user === identity.user ? 'own' : 'other';
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

/** Takes what is newer of the room's state, and shows it. */
function takeState(state: unknown): void {
  if (!merge(roomState, state)) return;
  const { settings, pinned } = roomState;
  if (settings?.value) rules.show(settings.value);
  const running = readPoll(roomState.poll?.value);
  if (running) poll.open(running);
  else if (roomState.poll) poll.gone();
  if (!pinned) return;
  const body = readBody(pinned.value?.message);
  if (pinned.value && body) pin.show(body, pinned.value.sequence);
  else pin.hide();
}

function showTitle(): void {
  const words = title || t('room', { room });
  byId('room').textContent = words;
  document.title = `${words} · Barrage`;
}

/** Shows a signal of the room, or of a notice, which has no position in the room. */
function showSignal(signal: Signal, at: number | null): void {
  takeState(signal.state);
  switch (signal.signal) {
    case 'mute_all':
      list.say(signal.on ? 'muteAll' : 'unmuteAll');
      break;
    case 'slow_mode':
      if (signal.secs) list.say('slowMode', { secs: signal.secs });
      else list.say('slowModeOff');
      break;
    case 'emotes':
      void loadEmotes(room, identity, entry);
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
      if (signal.user === identity.user) sayRole(signal.role);
      break;
    case 'warn':
      if (signal.user === identity.user) overStage(signal.text ?? '');
      break;
    case 'mute':
      if (signal.user === identity.user && signal.until_ms) composer.muteUntil(signal.until_ms);
      break;
    case 'unmute':
      if (signal.user !== identity.user) break;
      composer.unmute();
      list.say('unmuted');
      break;
    case 'kick':
      if (signal.user === identity.user) connection.kickedUntil(signal.until_ms ?? Infinity);
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

function showHeld(post: Post): void {
  if (post.type !== 'chat') return;
  const body: Body = { ...post, user: identity.user ?? '', name: identity.name, at_ms: Date.now() };
  stage.fly(body, null, 'own');
  list.add(body, null, 'own');
}

async function vote(id: string, option: number): Promise<VoteAnswer | null> {
  const sent = await sender.vote(id, option);
  if (sent.kind === 'accepted') return sent.answer;
  composer.refused(sent.refusal);
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
  for (const { body, sequence: at } of await past(room, sequence, identity, entry)) {
    if (!hidden.has(body.user, at)) list.add(body, at, originOf(body.user));
  }
}
