// The player page with a real server: a moderator and a viewer in one room. History without end, replies
// and mentions, the moderator's menu and commands, held messages, settings, super chats and combos.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { chats, gifts, MOVING, open, send } from './browser.mjs';
import { rig } from './rig.mjs';
import { Server, until } from './server.mjs';

/** Rows that the page keeps while its reader is above the end; the sentence above the first message is one more. */
const ROWS_MAX = 401;
/** More messages than the page keeps rows. */
const OLD = 576;

const site = rig(() => Server.start());

let seats = 0;

async function createRoom(room) {
  const admin = await site.server.token('boss', 'admin', '*');
  const headers = { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${site.server.admin}/v1/admin/rooms/${room}`, { method: 'PUT', headers, body: JSON.stringify({ title: room }) });
  assert.ok(answer.ok, await answer.text());
}

/** Opens the page as a user with a token of a role, in a room of its own. */
async function member(user, role, room, options = {}) {
  return open(site.browser, site.server, { ...options, query: `?room=${room}`, token: await site.server.token(user, role, room) });
}

/** Returns a moderator and a viewer in a new room. */
async function two(options = {}) {
  seats += 1;
  const room = `seat-${seats}`;
  await createRoom(room);
  const mia = await member('mia', 'moderator', room, options);
  const ann = await member('ann', 'viewer', room, options);
  return { room, mia, ann };
}

const hint = (page) => page.textContent('#hint');
const row = (text) => `#list .row:has-text("${text}")`;

/** Chooses an entry of the menu on a message. */
async function choose(page, text, entry) {
  await page.hover(row(text));
  await page.click(`${row(text)} .more`);
  await page.click(`.menu [role=menuitem]:has-text("${entry}")`);
}

test('the list goes back to the first message with a bounded number of rows, and jumps to now', async () => {
  const room = 'old';
  await createRoom(room);
  const token = await site.server.token('poster', 'viewer', room);
  const gift = (n) => ({ type: 'gift', id: `g-${n}`, gift: { name: `number ${n}`, count: 1, price_minor: 100 } });
  for (let n = 0; n < OLD; n += 64) {
    const messages = Array.from({ length: 64 }, (_, at) => gift(n + at));
    assert.equal((await site.server.post(token, { messages }, room, 'packages')).status, 200);
  }
  const page = await member('ann', 'viewer', room);
  await until('the newest are shown', async () => (await gifts(page)).includes(`number ${OLD - 1}`));
  let most = 0;
  await until('the first is shown', async () => {
    await page.$eval('#list', (list) => list.scrollTo(0, 0));
    const shown = await gifts(page);
    most = Math.max(most, await page.$eval('#list', (list) => list.childElementCount));
    assert.deepEqual(shown, [...new Set(shown)], 'none is doubled');
    return shown.includes('number 0');
  });
  assert.ok(most <= ROWS_MAX, `${most} rows`);
  assert.match(await page.textContent('#list .row'), /The chat begins here/);
  assert.equal((await gifts(page)).includes(`number ${OLD - 1}`), false, 'the newest rows have made place');
  await site.server.post(token, gift(OLD), room);
  await page.waitForSelector('#newer:not([hidden])');
  // Down by the history, without a gap.
  await until('the newest is reached', async () => {
    await page.$eval('#list', (list) => list.scrollTo(0, list.scrollHeight));
    return (await gifts(page)).includes(`number ${OLD}`);
  });
  const numbers = (await gifts(page)).map((name) => Number(name.split(' ')[1]));
  assert.deepEqual(numbers, numbers.map((_, at) => numbers[0] + at), 'no gap and no double');
  await page.$eval('#list', (list) => list.scrollTo(0, 0));
  await until('it is above again', async () => page.isVisible('#newer'));
  await page.click('#newer');
  await site.server.post(token, gift(OLD + 1), room);
  await until('it follows', async () => (await gifts(page)).at(-1) === `number ${OLD + 1}`);
  assert.ok(await page.isHidden('#newer'));
  assert.deepEqual(page.faults, []);
});

test('a reply shows its quote and leads to it, and a mention is marked for the one it means', async () => {
  const { mia, ann } = await two();
  await send(ann, 'where is the studio?');
  await until('mia sees it', async () => (await chats(mia)).includes('where is the studio?'));
  await choose(mia, 'where is the studio?', 'Reply');
  assert.match(await mia.textContent('#reply-words'), /ann: where is the studio\?/);
  await send(mia, '@ann in Berlin');
  await ann.waitForSelector('.row.to-me .mention');
  assert.equal(await ann.textContent('.row.to-me .reply-text'), 'where is the studio?');
  assert.equal(await ann.textContent('.row.to-me .mention'), '@ann');
  assert.ok(await mia.isHidden('#reply-bar'), 'the reply is over');
  assert.equal(await mia.$('.row.to-me'), null);
  await ann.click('.row.to-me .reply');
  await ann.waitForSelector('.row.found:has-text("where is the studio?")');
  // The names behind an @.
  await ann.fill('#text', '@mi');
  await ann.waitForSelector('#suggestions [role=option]');
  await ann.press('#text', 'Enter');
  assert.equal(await ann.inputValue('#text'), '@mia ');
  assert.deepEqual([...ann.faults, ...mia.faults], []);
});

test('a reply to a message that the page does not hold quotes it out of the history', async () => {
  const room = 'quotes';
  await createRoom(room);
  const token = await site.server.token('poster', 'viewer', room);
  const say = (id, text, more = {}) => site.server.post(token, { type: 'chat', id, text, ...more }, room);
  const first = await say('first', 'the very first words');
  const recalled = await say('second', 'words that are taken back');
  for (let n = 0; n < 2; n += 1) {
    const messages = Array.from({ length: 50 }, (_, at) => ({ type: 'gift', id: `g-${n}-${at}`, gift: { name: `between ${at}`, count: 1, price_minor: 100 } }));
    assert.equal((await site.server.post(token, { messages }, room, 'packages')).status, 200);
  }
  const page = await member('ann', 'viewer', room);
  await until('the newest are shown', async () => (await gifts(page)).length >= 50);
  assert.ok(!(await page.textContent('#list')).includes('the very first words'));
  for (const [at, { sequence }] of [first, recalled].entries()) assert.equal((await say(`r-${at}`, `reply ${at}`, { reply_to: sequence })).outcome, 'broadcast');
  const quote = (text) => page.$eval(`${row(text)} .reply`, (reply) => [reply.querySelector('.reply-text')?.textContent ?? null, reply.getAttribute('aria-label')]);
  await until('the quotes are there', async () => (await quote('reply 0'))[0] === 'the very first words' && (await quote('reply 1'))[0] === 'words that are taken back');
  assert.match((await quote('reply 0'))[1], /the very first words/);
  const mia = await site.server.token('mia', 'moderator', room);
  assert.equal((await site.server.post(mia, { id: 'a1', action: { type: 'recall', sequence: recalled.sequence } }, room, 'actions')).status, 200);
  await until('the recalled words are gone', async () => (await quote('reply 1'))[0] === null);
  assert.equal((await quote('reply 0'))[0], 'the very first words');
  assert.deepEqual(page.faults, []);
});

test("a moderator deletes, pins, times out and bans by the menu, and the viewer's page follows", async () => {
  const { mia, ann } = await two();
  await send(ann, 'the first text');
  await until('mia sees it', async () => (await chats(mia)).includes('the first text'));
  await choose(mia, 'the first text', 'Pin');
  await until('the pin', async () => /the first text/.test(await ann.textContent('#pinned')));
  await choose(mia, 'the first text', 'Delete message');
  await until('it is gone', async () => !(await ann.textContent('body')).includes('the first text'));
  // The signal may reach the viewer before the answer reaches the moderator.
  await until('the answer', async () => /The message is deleted/.test(await hint(mia)));
  await send(ann, 'the second text');
  await until('mia sees it', async () => (await chats(mia)).includes('the second text'));
  await choose(mia, 'the second text', 'Time out 10 min');
  await until('the countdown', async () => /^\d:\d\d$/.test(await ann.textContent('#send-text')));
  await until('the reason', async () => /You are muted/.test(await hint(ann)));
  await send(mia, '/untimeout @ann');
  await until('she may write again', async () => ann.isEnabled('#send'));
  await choose(mia, 'the second text', 'Ban');
  await ann.waitForSelector('#curtain:not([hidden])');
  assert.match(await ann.textContent('#reason'), /removed from this room/);
  assert.deepEqual([...ann.faults, ...mia.faults], []);
});

test('slash commands act by the role, and say what is wrong', async () => {
  const { mia, ann } = await two();
  await send(ann, '/clear');
  await until('no role', async () => /Only a Mod can use \/clear/.test(await hint(ann)));
  await send(ann, '/nonsense');
  await until('no command', async () => /no command \/nonsense/.test(await hint(ann)));
  await ann.fill('#text', '');
  await send(ann, '//shrug');
  await until('a slash text', async () => (await chats(mia)).includes('/shrug'));
  await mia.fill('#text', '/slow');
  await mia.waitForSelector('#suggestions [role=option]');
  assert.match(await mia.textContent('#suggestions'), /\/slow .*\/slowoff/);
  await mia.fill('#text', '');
  await send(mia, '/timeout');
  await until('the usage', async () => /Usage: \/timeout @user \[time 10m\] \[reason\]/.test(await hint(mia)));
  await send(mia, '/slow 30');
  await until('the rule', async () => /one message every 30 s/.test(await ann.textContent('#rules')));
  await send(ann, 'slowly now');
  await until('her countdown', async () => /^(30|2\d) s$/.test(await ann.textContent('#send-text')));
  await send(mia, '/slowoff');
  await until('it is over', async () => ann.isEnabled('#send'));
  await send(mia, '/announce five minutes');
  await until('the announcement', async () => (await ann.textContent('#announcement')) === 'five minutes');
  await send(mia, '/muteall');
  await until('nobody may write', async () => (await ann.getAttribute('#text', 'placeholder')) === 'Only the host and moderators can send messages now.');
  assert.ok(await ann.isDisabled('#send'));
  await send(mia, 'moderators may');
  await until('it shows', async () => (await chats(ann)).includes('moderators may'));
  await send(mia, '/unmuteall');
  await until('she may', async () => ann.isEnabled('#send'));
  await send(mia, '/delete @ann');
  await until('the last text of ann', async () => !(await ann.textContent('#list')).includes('slowly now'));
  await send(mia, '/warn @ann be kind');
  await until('the warning', async () => (await ann.textContent('#announcement')) === 'be kind');
  await send(mia, '/clear');
  await until('all is gone', async () => (await chats(ann)).length === 0);
  assert.deepEqual([...ann.faults, ...mia.faults], []);
});

test('a moderator by a role of the room may act, and no longer once it is taken', async () => {
  const { room, mia, ann } = await two();
  const host = await site.server.token('hal', 'host', room);
  const give = async (id, role) => {
    const answer = await site.server.post(host, { id, action: { type: 'role', user: 'rob', role } }, room, 'actions');
    assert.equal(answer.status, 200, JSON.stringify(answer));
  };
  await give('r-1', 'moderator');
  // The token of this visit has no role, and the signal was before it.
  const rob = await member('rob', 'viewer', room);
  await send(rob, '/slow 7');
  await until('the rule', async () => /one message every 7 s/.test(await ann.textContent('#rules')));
  await send(ann, 'seen by rob');
  await until('rob sees it', async () => (await chats(rob)).includes('seen by rob'));
  await choose(rob, 'seen by rob', 'Delete message');
  await until('it is gone', async () => !(await chats(mia)).includes('seen by rob'));
  await give('r-2', 'viewer');
  await until('rob is told', async () => /no role in this room/.test(await rob.textContent('#list')));
  await send(rob, '/slowoff');
  await until('no role', async () => /Only a Mod can use/.test(await hint(rob)));
  assert.deepEqual([...ann.faults, ...mia.faults, ...rob.faults], []);
});

test('a held message says why, and an approved one takes its place', async () => {
  const { room, mia, ann } = await two();
  const token = await site.server.token('mia', 'moderator', room);
  const call = (method, path, body) =>
    fetch(`${site.server.origin}/v1/rooms/${room}/${path}`, { method, headers: { Authorization: `Bearer ${token}` }, ...(body ? { body: JSON.stringify(body) } : {}) });
  const put = await call('PUT', 'words', { version: 0, rules: [{ name: 'spoilers', words: ['ending'], action: 'review' }] });
  assert.equal(put.status, 200, await put.clone().text());
  const told = async (page) => (await chats(page)).filter((text) => text === 'the ending is sad').length;
  let sent = 0;
  await until('the word holds', async () => {
    await send(ann, 'the ending is sad');
    sent += 1;
    await until('it is answered', async () => (await told(ann)) === sent);
    return (await ann.$('.row.held')) !== null;
  });
  assert.match(await ann.textContent('.row.held .held-why'), /Only you see this · a rule of the room held it/);
  // Texts from before the word was in force are in the room.
  await until('mia sees all but the held one', async () => (await told(mia)) + 1 === (await told(ann)));
  const { reviews } = await (await call('GET', 'reviews')).json();
  assert.equal((await call('POST', `reviews/${reviews[0].id}`, { decision: 'approve' })).status, 200);
  await until('it is in the room', async () => (await ann.$('.row.held')) === null);
  await until('all see it', async () => (await chats(mia)).includes('the ending is sad'));
  assert.deepEqual([...ann.faults, ...mia.faults], []);
});

test('blocked users and words are hidden, a report reaches the moderators, and settings stay', async () => {
  const { room, mia, ann } = await two();
  const bob = await member('bob', 'viewer', room);
  await send(bob, 'buy my things');
  await until('ann sees it', async () => (await chats(ann)).includes('buy my things'));
  await choose(ann, 'buy my things', 'Report');
  await ann.click('.menu [role=menuitem]:has-text("Spam")');
  await until('it is told', async () => /Reported/.test(await hint(ann)));
  const token = await site.server.token('mia', 'moderator', room);
  const answer = await fetch(`${site.server.origin}/v1/rooms/${room}/reviews`, { headers: { Authorization: `Bearer ${token}` } });
  const { reviews } = await answer.json();
  assert.deepEqual(reviews.map(({ kind, user, detail }) => [kind, user, detail]), [['report', 'bob', 'Spam or advertising']]);
  await choose(ann, 'buy my things', 'Block user');
  await until('bob is hidden', async () => !(await chats(ann)).includes('buy my things'));
  await ann.click('#settings-open');
  await ann.fill('#blocked-word', 'Spoiler');
  await ann.press('#blocked-word', 'Enter');
  await ann.check('#themes input[value=light]', { force: true });
  await ann.fill('input[name=opacity]', '60');
  await ann.click('#settings-close');
  assert.equal(await ann.getAttribute('html', 'data-theme'), 'light');
  await send(mia, 'a SPOILER here');
  await until('it is sent', async () => (await mia.inputValue('#text')) === '');
  await send(mia, 'and a fine text');
  await until('the other text', async () => (await chats(ann)).includes('and a fine text'));
  assert.ok(!(await chats(ann)).includes('a SPOILER here'));
  await ann.reload();
  await until('the past', async () => (await chats(ann)).includes('and a fine text'));
  assert.deepEqual((await chats(ann)).filter((text) => /buy|SPOILER/.test(text)), []);
  assert.equal(await ann.getAttribute('html', 'data-theme'), 'light');
  await ann.click('#settings-open');
  assert.equal(await ann.inputValue('input[name=opacity]'), '60');
  await ann.click('#blocked-users .chip-remove');
  await ann.click('#settings-close');
  assert.deepEqual([...ann.faults, ...mia.faults], []);
});

test('gifts make combos, super chats stay on top, and reactions rise', async () => {
  const { mia, ann } = await two(MOVING);
  await ann.click('#gift-button');
  await ann.click('#gift-quantities button:has-text("×10")');
  await ann.click('[data-gift=star]');
  await ann.waitForSelector('#combo:not([hidden])');
  await ann.click('#combo');
  await until('the combo', async () => (await ann.textContent('#combo')) === '×2');
  await until('mia sees both', async () => (await mia.$$('#list .row.gift')).length === 2);
  assert.match(await mia.textContent('#banners .banner.gift'), /×20/);
  await ann.press('#text', 'Escape');
  await ann.fill('#text', 'stay on top');
  await ann.click('#super-button');
  await ann.check('#super-amounts input[value="12000"]', { force: true });
  assert.match(await ann.textContent('#super-stays'), /10 min/);
  await ann.click('#super-send');
  for (const page of [ann, mia]) await page.waitForSelector('#ticker .sc:has-text("¥120")');
  await mia.click('#ticker .sc');
  assert.equal(await mia.textContent('#ticker-open'), 'stay on top');
  await ann.click('[data-reaction=fire]');
  await until('it rises at mia too', async () => (await mia.$$eval('#hearts .heart', (all) => all.map((one) => one.textContent))).includes('🔥'));
  assert.deepEqual([...ann.faults, ...mia.faults], []);
});
