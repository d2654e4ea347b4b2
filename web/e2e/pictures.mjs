// Writes the pictures of the player page in docs/pictures, from a scripted room.

import { fileURLToPath } from 'node:url';
import { launch, open } from './browser.mjs';
import { pause } from './server.mjs';
import { birthday, Source } from './source.mjs';

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

const browser = await launch();
const source = await Source.start();
source.user = 'mia';
for (const [name, options] of Object.entries(PICTURES)) {
  const page = await open(browser, source, { token: TOKEN, ...options });
  await evening(source);
  if (name === 'player-menu') await page.click('#list .row:has-text("what comes next") .who');
  await page.screenshot({ path: fileURLToPath(new URL(`../../docs/pictures/${name}.jpg`, import.meta.url)), type: 'jpeg', quality: 80 });
  await page.context().close();
}
await browser.close();
await source.stop();
