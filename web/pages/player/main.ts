// Connects the parts of the page: the room, what it shows, and what the viewer does.

import { Accounts } from './account/accounts.ts';
import { Offer } from './account/offer.ts';
import { Session } from './account/session.ts';
import { Banners } from './stage/banners.ts';
import { Composer } from './compose/composer.ts';
import { join, type Post, type RoomView } from '@barrage/client';
import { byId } from '@barrage/ui/dom.ts';
import { loadReactions, reactionsOf } from '@barrage/ui/reactions.ts';
import { ThemeSwitch } from '@barrage/ui/theme.ts';
import { loadEmotes } from './chat/emotes.ts';
import { Hidden } from './chat/hidden.ts';
import { count, inLanguage, switchLanguage, t, translatePage } from './page/i18n.ts';
import { List, type Page } from './log/list.ts';
import { Pin } from './chat/pin.ts';
import { Rules } from './chat/rules.ts';
import { PollPanel } from './chat/poll.ts';
import { Sampled } from './chat/sampled.ts';
import { Scene } from './stage/scene.ts';
import { Spoken } from './chat/spoken.ts';
import { Stage } from './stage/stage.ts';
import { Status } from './chat/status.ts';
import { Trouble } from './chat/trouble.ts';
import { Draft } from './compose/draft.ts';
import { EmotePicker } from './compose/emote_picker.ts';
import { Suggest } from './compose/suggest.ts';
import { suggesterOf } from './compose/suggestions.ts';
import { LettersOffer } from './letters/offer.ts';
import { readBadges } from './log/badges.ts';
import { type Message } from './log/entry.ts';
import { listenInList } from './log/keys.ts';
import { Senders } from './log/senders.ts';
import { isAtLeast } from './moderate/actions.ts';
import { openMessageMenu } from './moderate/message_menu.ts';
import { KnownRole } from './moderate/known_role.ts';
import { Runner } from './moderate/runner.ts';
import { Attaching } from './media/attaching.ts';
import { picturesOf } from './media/box.ts';
import { GiftPanel } from './money/gift_panel.ts';
import { Reactions } from './money/reactions.ts';
import { SuperPanel } from './money/super_panel.ts';
import { Ticker } from './money/ticker.ts';
import { Announcement } from './page/announcement.ts';
import { FullScreen } from './page/fullscreen.ts';
import { entryOrigins, signIn, signOut } from './page/sign_in.ts';
import { View } from './page/view.ts';
import { News } from './push/news.ts';
import { isConversation } from './push/note.ts';
import { SettingsPanel } from './settings/panel.ts';
import { Kept, MODES } from './settings/settings.ts';

const ROOM_DEFAULT = 'demo';
const ROOM_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** Reasons of an end that another token may take away. */
const REFUSED_TOKENS: ReadonlySet<string> = new Set(['unauthorized', 'token_expired', 'wrong_room']);

let title = '';
/** Unread items of the inbox. */
let unread = 0;
const asked = new URLSearchParams(location.search).get('room') ?? '';
const roomId = ROOM_PATTERN.test(asked) ? asked : ROOM_DEFAULT;

const kept = new Kept();
const theme = new ThemeSwitch();
inLanguage(() => {
  translatePage();
  byId('language').textContent = t('language');
  showTitle();
});
byId('language').addEventListener('click', switchLanguage);

const accounts = new Accounts(() => room.uplinks());
const session = new Session(accounts);
const { name, token, isGiven } = signIn(session);
const offer = isGiven ? null : new Offer(accounts, session, () => void begin());
const entries = [location.origin, ...entryOrigins()];
const room = join({
  entry: entries,
  room: roomId,
  token,
  guest: { name, prefix: t('viewer') },
});
picturesOf({ room, roomId, entries });
const picture = new Attaching(token);
const role = new KnownRole(room);
const text = byId<HTMLInputElement>('text');
const senders = new Senders();
const draft = new Draft(text, senders);
const hidden = new Hidden();
const stage = new Stage(byId('flight'), byId('missed'));
const banners = new Banners(byId('banners'));
const pin = new Pin(byId('pinned'), (sequence) => void list.show(sequence));
const poll = new PollPanel(byId('poll'), { vote });
const announcement = new Announcement(byId('announcement'));
const sampled = new Sampled(byId('sampled'));
const trouble = new Trouble(byId('trouble'));
const list = new List(byId('list'), byId('log'), byId<HTMLButtonElement>('newer'), new Spoken(byId('spoken')), {
  history: (at, limit) => history(at, limit),
  shows: (body, sequence) => view.shows(body, sequence),
  user: () => room.user,
});
const ticker = new Ticker({ shows: (chat) => view.shows(chat, null) });
const composer = new Composer(draft, {
  post: (post) => room.send(post),
  warm: () => void room.warm(),
  held: (post, id, rule) => view.held(post, id, rule),
  command: (words) => runner.command(words),
  picture,
  slowSecs: () => (isModerator() ? 0 : (room.roomState.settings.slow_mode_secs ?? 0)),
});
const runner: Runner = new Runner(room, role, kept, senders, list, composer);
/** Only the payment service may send gifts in this room. */
let giftsElsewhere = false;
let isOpen = false;
const gifts = new GiftPanel({ send: (post) => sendPaid(post) });
const reactions = new Reactions({
  send: async (post) => {
    const sent = await room.send(post);
    if (sent.kind !== 'refused') return null;
    if (sent.code !== 'bad_request') composer.refused(sent);
    return sent.code;
  },
});
new SuperPanel({ text: () => (composer.hasText('superChatNeedsText') ? composer.text : null), send: (post) => sendPaid(post) });
new EmotePicker(text, (id) => void composer.sticker(id));
new Suggest(text, suggesterOf(senders, draft, () => role.now));
new SettingsPanel(byId('settings-open'), kept);
new FullScreen(byId('fullscreen'), byId('main'));
new Scene(byId<HTMLCanvasElement>('scene'));
/** A guest has no inbox. */
const letters = token && new LettersOffer({
  room,
  roomId,
  token,
  known: (user) => senders.get(user),
  say: (words) => composer.hint(words),
  hopes: () => news?.offer(),
  unread: (now) => {
    unread = now;
    showTitle();
  },
});
const news = token && new News(room, openFromNews);
const conversation = new URLSearchParams(location.search).get('conversation');
if (letters && isConversation(conversation)) letters.open(conversation);
const rules = new Rules(byId('rules'), (of) => {
  title = of;
  showTitle();
});
const status = new Status(() => room.retry());
const view: View = new View({ stage, banners, list, senders, ticker, pin, poll, hidden, composer, kept, announcement }, {
  user: () => room.user,
  name: () => room.name,
  emotes: () => void loadEmotes(room),
  roleChanged: () => role.changed(),
});
listenInList(byId('list'), list, openMenu);
stage.danmakus.on('click', ({ sequence, event }) => {
  const found = sequence === null ? null : list.find(sequence);
  if (found) openMenu(found, byId('toggle'), { x: event.clientX, y: event.clientY });
});

byId('toggle').addEventListener('click', () => kept.change({ danmaku: !kept.now.danmaku }));
kept.on((settings) => {
  theme.set(settings.theme);
  stage.show(settings.danmaku);
  byId('toggle').setAttribute('aria-pressed', String(settings.danmaku));
  stage.danmakus.set({
    opacity: settings.opacity / 100,
    area: settings.area / 100,
    speed: settings.speed / 100,
    size: settings.size / 100,
    modes: MODES.filter((mode) => settings.modes[mode]),
    words: settings.words,
    users: settings.users.map(({ user }) => user),
  });
  list.filter();
  ticker.filter();
});

let pastShown = false;
let emotesLoaded: Promise<void> | undefined;
room.on('state', (state) => {
  status.state(state);
  trouble.state(state);
  enable(state.kind !== 'ended');
  if (state.kind === 'open') composer.networkIsBack();
  // A room for members alone ends the visit of those who are not signed in.
  if (state.kind === 'open' || state.kind === 'ended') offer?.make();
  if (state.kind === 'ended' && REFUSED_TOKENS.has(state.code)) signOut();
});
room.on('hello', (hello) => {
  if (news) news.known();
  if (hello.online !== null) status.online(hello.online);
  composer.show(room.canSend);
  poll.enable(room.canSend);
  emotesLoaded ??= loadEmotes(room);
  if (!pastShown) void room.uplinks().then(loadReactions).then((names) => names && reactions.offer(names));
  if (!pastShown) void emotesLoaded.then(() => list.past(hello.sequence));
  pastShown = true;
});
room.on('roomState', showState);
room.on('batch', ({ messages }) => {
  for (const { body, sequence } of messages) view.show(body, sequence);
});
room.on('pulse', (pulse) => {
  if (pulse.online !== undefined) status.online(pulse.online);
  reactions.pulse(pulse.likes ?? 0, pulse.reactions ?? {});
  for (const counts of pulse.polls ?? []) poll.votes(counts);
  sampled.pulse(pulse);
});
room.on('loss', (loss) => {
  if (loss.kind === 'gone') list.say('gone');
  else list.leftOut(loss.count);
});
room.on('notice', ({ body, raw }) => {
  const words = (raw as { text?: unknown } | null)?.text;
  if (typeof words === 'string') list.quote(words);
  if (body?.type === 'signal') view.signal(body, null);
});

function showState({ settings, pinned, poll: running, attributes, super_chats: superChats }: RoomView): void {
  rules.show(settings);
  picture.rule(settings.speak?.['media_role_min'], role.now);
  composer.rules(Boolean(settings.mute_all) && !isModerator(), settings.slow_mode_secs ?? 0);
  reactions.own(reactionsOf(settings.reactions));
  readBadges(attributes);
  if (running) poll.open(running);
  else poll.gone();
  if (pinned) pin.show(pinned.body, pinned.sequence);
  else pin.hide();
  ticker.set(superChats);
}

/** Begins anew behind a sign-in or a sign-out, which takes the inbox from this browser. */
async function begin(): Promise<void> {
  if (session.now === null && letters) await letters.forget();
  if (session.now === null && news) await news.forget();
  location.reload();
}

/** Shows what a clicked notification is about: a conversation, or this room, which is in front already. */
function openFromNews(what: string): void {
  if (letters && isConversation(what)) letters.open(what);
}

function isModerator(): boolean {
  return isAtLeast(role.now, 'moderator');
}

/** Reads a page of the history for the list: what people wrote. */
async function history(at: { before: number } | { after: number }, limit: number): Promise<Page | null> {
  const { messages, more, refusal } = await room.history({ ...at, limit });
  if (refusal) return null;
  const written = messages.flatMap(({ sequence, body }) => (body.type === 'signal' || body.type === 'event' ? [] : [{ sequence, body }]));
  return { messages: written, more };
}

function showTitle(): void {
  const words = title || t('room', { room: roomId });
  byId('room').textContent = words;
  document.title = `${unread > 0 ? `(${count(unread)}) ` : ''}${words} · Barrage`;
}

function openMenu(message: Message, from: HTMLElement, point?: { x: number; y: number }): void {
  openMessageMenu(
    message,
    {
      role: () => role.now,
      canSend: () => room.canSend,
      reply: (to) => draft.replyTo(to),
      mention: (user, name) => draft.mention(user, name),
      write: letters?.now ? (user) => letters.now?.writeTo(user) : null,
      block: (user, name) => runner.block(user, name),
      report: ({ body, sequence }, reason) => void runner.report(body.user, sequence, reason),
      act: (action, name) => void runner.act(action, name),
      command: (words) => {
        composer.text = words;
      },
    },
    from,
    point,
  );
}

/** Sends a gift or a super chat. Where only the payment service may, the gifts are disabled. */
async function sendPaid(post: Post): Promise<boolean> {
  const sent = await composer.post(post, post.type === 'super_chat' ? 'text' : 'button');
  if (sent.kind === 'refused' && sent.code === 'forbidden') {
    giftsElsewhere = true;
    composer.hint(t('giftsElsewhere'));
    enable(isOpen);
  }
  return sent.kind !== 'refused';
}

function enable(open: boolean): void {
  isOpen = open;
  composer.enable(open);
  gifts.enable(open && !giftsElsewhere, giftsElsewhere ? t('giftsElsewhere') : '');
  reactions.enable(open);
}

async function vote(id: string, option: number): Promise<number | null> {
  const sent = await room.vote(id, option);
  if (sent.kind === 'counted') return sent.option;
  composer.refused(sent);
  return null;
}
