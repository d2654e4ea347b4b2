// Writes docs/pictures: the player page and the element from a scripted room, the moderator console from a real one,
// the overlay with its samples, the replay player with the demo recording.

import { fileURLToPath } from 'node:url';
import { launch, MOVING, newContext, open } from './browser.mjs';
import { reader, request, write } from './letters.mjs';
import { pause, Server } from './server.mjs';
import { birthday, Source } from './source.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Time in which danmaku cross a part of the stage. */
const FLY_MS = 1_200;

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** An unsigned token: the scripted server does not verify it. */
const TOKEN = `${part({ alg: 'none' })}.${part({ sub: 'mia', name: 'Mia', role: 'moderator' })}.c2ln`;
const YUAN = { currency: 'CNY' };

/** Fills the room as on a busy evening. */
async function evening(source) {
  source.say(...Array.from({ length: 20 }, birthday(7)));
  await pause(FLY_MS);
  source.say(
    { type: 'chat', user: 'h', name: '小夜', role: 'host', text: '大家晚上好！', attrs: { badges: ['verified'], level: 42 } },
    { type: 'chat', user: 'a', name: 'Ann', text: 'hello from Berlin', attrs: { badges: ['member/12', 'vip'], level: 21, color: 0xff8800 } },
    { type: 'chat', user: 'c', name: 'Cy', text: '@Mia what comes next?', mentions: ['mia'], attrs: { level: 3 } },
  );
  const sequence = source.sequence;
  source.say(
    { type: 'chat', user: 'mia', name: 'Mia', role: 'moderator', text: 'two more songs', reply_to: { sequence, user: 'c', name: 'Cy' } },
    { type: 'gift', user: 'a', name: 'Ann', gift: { name: '火箭', count: 3, price_minor: 50_000 } },
    { type: 'super_chat', user: 'e', name: 'Eve', text: '生日快乐！祝你天天开心', amount_minor: 3_000, ...YUAN },
    { type: 'super_chat', user: 'f', name: 'Finn', text: 'Thank you for every stream of this year.', amount_minor: 30_000, ...YUAN },
  );
  source.say(...Array.from({ length: 6 }, birthday(3)));
  const pulse = { likes: 12_431, reactions: { fire: 3, clap: 2 }, online: 18_234, offered: 18_000, shown: 50 };
  source.frame({ type: 'batch', room: 'demo', previous: source.sequence, sequence: source.sequence, messages: [], pulse });
  await pause(FLY_MS);
}

const DESK = { viewport: { width: 1200, height: 675 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const PICTURES = {
  player: { ...DESK, colorScheme: 'dark', locale: 'en-US' },
  'player-light-zh': { ...DESK, colorScheme: 'light', locale: 'zh-CN' },
  'player-phone-zh': { ...PHONE, colorScheme: 'dark', locale: 'zh-CN' },
  'player-menu': { ...DESK, colorScheme: 'light', locale: 'en-US' },
};

const CONSOLES = {
  moderate: { viewport: { width: 1400, height: 1100 }, colorScheme: 'light', locale: 'en-US' },
  'moderate-dark-zh': { viewport: { width: 1400, height: 1100 }, colorScheme: 'dark', locale: 'zh-CN' },
  'moderate-phone': { ...PHONE, colorScheme: 'light', locale: 'en-US' },
};

/** Path of a picture. */
function picture(name) {
  return fileURLToPath(new URL(`../../docs/pictures/${name}`, import.meta.url));
}

/** Fills a real room with messages, a review, a pin, a super chat and a poll. */
async function busyRoom(server, mia) {
  let posts = 0;
  const say = async (user, post) => server.post(await server.token(user), { id: `p-${(posts += 1)}`, ...post });
  await server.post(mia, { id: 'a1', action: { type: 'slow_mode', secs: 0 } }, 'demo', 'actions');
  const words = await fetch(`${server.origin}/v1/rooms/demo/words`, { method: 'PUT', headers: { Authorization: `Bearer ${mia}` }, body: JSON.stringify({ version: 0, rules: [{ name: 'spoilers', words: ['ending', 'spoil'], action: 'review' }] }) });
  if (!words.ok) throw new Error(await words.text());
  await pause(1_500);
  const texts = [['ann', '晚上好，第一次来！'], ['bo', 'good evening everyone'], ['cy', '这首歌太好听了'], ['di', 'nice shot'], ['ann', '名场面 awsl'], ['bo', 'what a save, <b>wow</b>'], ['cy', '前方高能'], ['di', 'that was so close'], ['ann', 'I can watch this all night']];
  const said = [];
  for (const [user, text] of texts) said.push(await say(user, { type: 'chat', text }));
  for (const [user, text] of [['bo', 'the e n d i n g is great'], ['di', 'do not spoil it']]) await say(user, { type: 'chat', text });
  await say('ann', { type: 'gift', gift: { name: 'rose', count: 5, price_minor: 100 } });
  await say('cy', { type: 'super_chat', text: 'well done!', amount_minor: 3_000, currency: 'EUR' });
  await server.post(mia, { id: 'a2', action: { type: 'pin', sequence: said[5].sequence } }, 'demo', 'actions');
  const poll = { id: 'poll-1', question: '下一首唱什么？', options: ['夜曲', '稻香'], secs: 300 };
  await server.post(mia, poll, 'demo', 'polls');
  for (const [user, option] of [['ann', 1], ['bo', 1], ['cy', 2]]) await server.post(await server.token(user), { option }, 'demo', `polls/${poll.id}/votes`);
}

async function consoles(browser) {
  const server = await Server.start();
  try {
    const mia = await server.token('mia', 'moderator');
    await busyRoom(server, mia);
    for (const [name, options] of Object.entries(CONSOLES)) {
      const page = await (await newContext(browser, { ...MOVING, ...options })).newPage();
      await page.goto(`${server.origin}/moderate/?room=demo#token=${mia}`);
      await page.waitForSelector('#review-list li');
      await page.waitForSelector('#poll-running:not([hidden])');
      await page.click('#chat-list .row:has-text("what a save")', { position: { x: 30, y: 8 } });
      await page.keyboard.press('u');
      await page.waitForSelector('#card-messages .row');
      await page.mouse.move(0, 0);
      await page.evaluate(() => scrollTo(0, 0));
      await pause(FLY_MS);
      await page.screenshot({ path: picture(`${name}.png`) });
      await page.context().close();
    }
  } finally {
    await server.stop();
  }
}

async function player(browser) {
  const source = await Source.start();
  source.user = 'mia';
  for (const [name, options] of Object.entries(PICTURES)) {
    const page = await open(browser, source, { ...MOVING, token: TOKEN, ...options });
    await evening(source);
    if (name === 'player-menu') await page.click('#list .row:has-text("what comes next") .who');
    await page.screenshot({ path: picture(`${name}.jpg`), type: 'jpeg', quality: 80 });
    await page.context().close();
  }
  await source.stop();
}

const INBOXES = {
  letters: { view: 'list', ...DESK, colorScheme: 'dark', locale: 'en-US' },
  'letters-light-zh': { view: 'group', ...DESK, colorScheme: 'light', locale: 'zh-CN' },
  'letters-phone': { view: 'group', ...PHONE, colorScheme: 'dark', locale: 'en-US' },
};

/** Fills the inbox of Mia: friends, a fan group with a live host, and a stranger who asks to write. */
async function fillInbox(server) {
  const say = async (from, to, ...texts) => {
    for (const text of texts) await write(server, from, to, text);
    await pause(300);
  };
  await say('theo', 'mia', 'are you watching tonight?');
  await say('mia', 'theo', 'of course! the new song comes at nine', '今晚的舞台太好看了');
  await say('theo', 'mia', 'I will be late, tell me what I miss', '帮我录一下开头好吗？');
  await say('june', 'mia', 'thank you for the emotes');
  await say('mia', 'june', 'my pleasure');
  await say('yuzu', 'mia', '你好，我是新来的粉丝');
  const group = await request(server, 'nova', 'POST', '/v1/groups', { title: 'Fans of Nova', room: 'demo', join: 'open', history: 'all' });
  for (const user of ['mia', 'theo', 'june']) await request(server, user, 'POST', `/v1/groups/${group.conversation}/join`);
  const talk = [['nova', 'good evening everyone! 🎉'], ['june', '晚上好！'], ['mia', 'the lights are so beautiful'], ['theo', 'what comes next?'], ['nova', 'two more songs, then questions']];
  for (const [n, [user, text]] of talk.entries()) await request(server, user, 'POST', `/v1/conversations/${group.conversation}/messages`, { type: 'text', id: `talk-${n}`, text });
  const admin = await server.token('boss', 'admin', '*');
  for (const [key, text] of [['inbox.group', group.conversation], ['inbox.host', 'nova']]) {
    await fetch(`${server.origin}/v1/rooms/demo/attributes/${key}`, { method: 'PUT', headers: { Authorization: `Bearer ${admin}` }, body: JSON.stringify({ id: key, text }) });
  }
  return group.conversation;
}

async function inboxes(browser) {
  const server = await Server.start('--demo');
  try {
    const group = await fillInbox(server);
    await request(server, 'theo', 'POST', `/v1/conversations/${group}/messages`, { type: 'sticker', id: 'talk-s', sticker: 'reaction.clap', reply_to: 5 });
    for (const [name, { view, ...options }] of Object.entries(INBOXES)) {
      const page = await reader(browser, server, 'mia', options);
      await page.waitForSelector('.fans:not([hidden]) .fans-button.open');
      await page.click('#letters-open');
      await page.waitForSelector('.conversation-words:not(:empty)');
      if (view === 'group') {
        await page.click('.conversation:has-text("Fans of Nova")');
        await page.waitForSelector('.letter');
      }
      await page.mouse.move(0, 0);
      await pause(4 * FLY_MS);
      await page.screenshot({ path: picture(`${name}.jpg`), type: 'jpeg', quality: 80 });
      await page.context().close();
    }
  } finally {
    await server.stop();
  }
}

const OVERLAYS = {
  'overlay-list': { query: 'mode=list', viewport: { width: 420, height: 620 } },
  'overlay-danmaku': { query: 'mode=danmaku', viewport: { width: 960, height: 540 } },
  'overlay-both': { query: 'mode=both&size=20', viewport: { width: 960, height: 540 } },
};
/** A picture of a stream below the overlay. */
const STREAM = 'radial-gradient(70% 90% at 70% 20%, #6d4f9e, transparent), linear-gradient(160deg, #1d2440, #40264d 60%, #1a1a2e)';
const BUILDERS = {
  'overlay-builder': { locale: 'en-US', colorScheme: 'dark' },
  'overlay-builder-light-zh': { locale: 'zh-CN', colorScheme: 'light' },
};

async function overlay(browser) {
  const server = await Server.start();
  try {
    for (const [name, { query, viewport }] of Object.entries(OVERLAYS)) {
      const page = await (await newContext(browser, { ...MOVING, viewport, locale: 'en-US' })).newPage();
      await page.goto(`${server.origin}/overlay/?preview=1&${query}`);
      await page.evaluate((background) => Object.assign(document.documentElement.style, { background }), STREAM);
      await pause(3 * FLY_MS);
      await page.screenshot({ path: picture(`${name}.png`) });
      await page.context().close();
    }
    for (const [name, options] of Object.entries(BUILDERS)) {
      const page = await (await newContext(browser, { ...MOVING, viewport: { width: 1280, height: 900 }, ...options })).newPage();
      // The page shows its own address; the samples need no server.
      await page.route('https://chat.example/**', (route) => route.fulfill({ path: `${DIST}${new URL(route.request().url()).pathname.slice(1).replace(/\/$/u, '/index.html')}` }));
      await page.goto('https://chat.example/overlay/');
      await pause(3 * FLY_MS);
      await page.screenshot({ path: picture(`${name}.png`) });
      await page.context().close();
    }
  } finally {
    await server.stop();
  }
}

const ELEMENTS = {
  element: { viewport: { width: 960, height: 440 }, locale: 'en-US' },
  'element-phone-zh': { ...PHONE, viewport: { width: 390, height: 600 }, locale: 'zh-CN' },
};

async function element(browser) {
  const source = await Source.start();
  source.user = 'mia';
  for (const [name, options] of Object.entries(ELEMENTS)) {
    const page = await (await newContext(browser, { ...MOVING, ...options })).newPage();
    await page.goto(`${source.origin}/overlay/index.html`);
    await page.addScriptTag({ url: `${source.origin}/sdk/element.js` });
    await page.evaluate(([token, height]) => {
      const made = Object.assign(document.createElement('barrage-room'), { style: `height: ${height - 20}px; margin: 10px` });
      made.setAttribute('room', 'demo');
      made.setAttribute('token', token);
      document.body.replaceChildren(made);
      document.body.style.cssText = 'background: #222; margin: 0';
    }, [TOKEN, options.viewport.height]);
    await page.waitForFunction(() => document.querySelector('barrage-room').session?.state.kind === 'open');
    for (const [user, text, more] of [['Mika', 'good evening from Lisbon!'], ['小满', '来了来了，主播晚上好'], ['Theo', 'that intro gets me every time', { role: 'moderator' }], ['Noor', 'the lights are so beautiful'], ['柚子', '前方高能'], ['Kofi', 'is that a new guitar?']]) {
      source.say({ type: 'chat', user, name: user, text, ...more });
      await pause(FLY_MS / 3);
    }
    source.say({ type: 'super_chat', user: 'ines', name: 'Ines', text: 'Thank you!', amount_minor: 2_500, currency: 'EUR' });
    await pause(2 * FLY_MS);
    await page.screenshot({ path: picture(`${name}.png`) });
    await page.context().close();
  }
  await source.stop();
}

const REPLAYS = {
  replay: { viewport: { width: 1200, height: 771 }, colorScheme: 'light', locale: 'en-US' },
  'replay-dark-zh': { viewport: { width: 1200, height: 771 }, colorScheme: 'dark', locale: 'zh-CN' },
  'replay-phone': { ...PHONE, colorScheme: 'light', locale: 'en-US' },
};
const RECORDING = fileURLToPath(new URL('../../services/recording/assets/demo.xml', import.meta.url));
/** Position of the pictures in the recording. */
const REPLAYED_MS = 44_000;

async function replay(browser) {
  const server = await Server.start();
  try {
    for (const [name, options] of Object.entries(REPLAYS)) {
      const page = await (await newContext(browser, { ...MOVING, ...options })).newPage();
      await page.goto(`${server.origin}/replay/`);
      await page.setInputFiles('#danmaku-file', RECORDING);
      await page.waitForSelector('#loaded:not([hidden])');
      await page.$eval('#position', (field, ms) => {
        field.value = String(ms);
        field.dispatchEvent(new Event('input', { bubbles: true }));
      }, REPLAYED_MS);
      await page.click('#play');
      await pause(3 * FLY_MS);
      await page.screenshot({ path: picture(`${name}.png`) });
      await page.context().close();
    }
  } finally {
    await server.stop();
  }
}

const wanted = process.argv.slice(2);
const browser = await launch();
if (wanted.length === 0 || wanted.includes('player')) await player(browser);
if (wanted.length === 0 || wanted.includes('moderate')) await consoles(browser);
if (wanted.length === 0 || wanted.includes('letters')) await inboxes(browser);
if (wanted.length === 0 || wanted.includes('overlay')) await overlay(browser);
if (wanted.length === 0 || wanted.includes('element')) await element(browser);
if (wanted.length === 0 || wanted.includes('replay')) await replay(browser);
await browser.close();
