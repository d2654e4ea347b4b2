// The inbox on the player page with a real server: letters between two users, unread numbers in step between two
// browsers of one user, what a reload and a time offline ask, recalls, requests of strangers, keyboard and screen reader.

import assert from 'node:assert/strict';
import { test } from './suite.mjs';
import { LOOKS, violations } from './axe.mjs';
import { connected, send } from './browser.mjs';
import { acquaint, badge, choose, openThread, reader, request, shown, type, write } from './letters.mjs';
import { Meddler } from './proxies.mjs';
import { rig } from './rig.mjs';
import { pause, Server, until } from './server.mjs';

const site = rig(() => Server.start());
const open = (user, options) => reader(site.browser, site.server, user, options);
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

function noFaults(...pages) {
  for (const page of pages) assert.deepEqual(page.faults, []);
}

test('a stranger writes out of the chat; the receiver accepts, and reading in one browser lowers the badge in the other', async () => {
  const [ann, bob, other] = [await open('ann'), await open('bob'), await open('bob')];
  await send(bob, 'good evening');
  await ann.click('#list .row:has-text("good evening") .who');
  await ann.click('.menu [role=menuitem]:has(span:text-is("Write a letter"))');
  const hostile = '<img src=x onerror="alert(1)"> hello Bob';
  await type(ann, hostile);
  await until('the letter is in the conversation', async () => (await shown(ann)).includes(hostile));
  await ann.waitForSelector('.letter-receipt:text-is("Delivered")');
  await bob.click('#letters-open');
  await bob.click('.conversation.folder:has-text("Requests (1)")');
  assert.equal(await badge(bob), 0, 'a request counts in no total');
  await bob.click('.conversation:has-text("hello Bob")');
  assert.equal(await bob.textContent('.letters-title'), 'Ann');
  assert.deepEqual(await shown(bob), [hostile]);
  await bob.click('.letter-banner .chip:text-is("Accept")');
  await bob.waitForSelector('.letter-banner', { state: 'hidden' });
  await ann.waitForSelector('.letter-receipt:text-is("Read")');
  await bob.click('.letters-head [aria-label=Close]');
  for (const text of ['one', 'two']) {
    await type(ann, text);
    await until(text, async () => (await shown(ann)).includes(text));
  }
  for (const page of [bob, other]) await until('both browsers count both', async () => (await badge(page)) === 2);
  assert.match(await other.title(), /^\(2\) /);
  assert.equal(await other.getAttribute('#letters-open', 'aria-label'), 'Inbox, 2 unread');
  await openThread(bob, 'Ann');
  for (const page of [bob, other]) await until('both have read', async () => (await badge(page)) === 0);
  assert.doesNotMatch(await other.title(), /^\(/);
  noFaults(ann, bob, other);
});

test('a recall and a hidden item are gone in all browsers; a reply quotes, and a sticker is shown', async () => {
  const { server } = site;
  await acquaint(server, 'cara', 'dan');
  const [cara, dan, other] = [await open('cara'), await open('dan'), await open('dan')];
  for (const page of [dan, other]) await openThread(page, 'Cara');
  await openThread(cara, 'Dan');
  for (const text of ['to stay', 'to recall', 'to hide']) {
    await type(cara, text);
    await until(text, async () => (await shown(cara)).includes(text));
  }
  await choose(cara, 'to recall', 'Recall');
  for (const page of [cara, dan, other]) await until('the recall', async () => !(await shown(page)).includes('to recall'));
  assert.equal(await dan.textContent('.letter-note:has-text("recalled")'), '\u2068Cara\u2069 recalled a message');
  await choose(dan, 'to hide', 'Delete for me');
  for (const page of [dan, other]) await until('the hidden item', async () => !(await shown(page)).includes('to hide'));
  assert.ok((await shown(cara)).includes('to hide'), 'others still have it');
  await choose(dan, 'to stay', 'Reply');
  await dan.click('.letter-box .round[aria-label=Stickers]');
  await dan.click('.sticker-choice[aria-label="Sticker clap"]');
  await cara.waitForSelector('.letter.other .sticker-art.symbol');
  assert.match(await cara.textContent('.letter.other .letter-quote'), /Cara.*to stay/);
  noFaults(cara, dan, other);
});

test('a reload shows what the device keeps, and asks with its cursor for what is new alone', async () => {
  const { server } = site;
  const conversation = await acquaint(server, 'eve', 'finn');
  const finn = await open('finn');
  await openThread(finn, 'Eve');
  await until('the items', async () => (await shown(finn)).length === 2);
  await write(server, 'eve', 'finn', 'by mail');
  await until('mail', async () => (await shown(finn)).includes('by mail'));
  finn.asked.length = 0;
  const answers = [];
  finn.on('response', async (response) => {
    if (new URL(response.url()).pathname === '/v1/inbox') answers.push(await response.json());
  });
  await finn.reload();
  await connected(finn);
  await openThread(finn, 'Eve');
  await until('the items', async () => (await shown(finn)).includes('by mail'));
  await until('the answer', () => answers.length > 0);
  assert.ok(finn.asked[0].searchParams.get('cursor'), 'the device asks with its cursor');
  assert.ok(!answers[0].reset);
  assert.deepEqual(finn.asked.filter(({ pathname }) => pathname.includes(conversation)).map(String), [], 'the device has all items');
  // Without any answer the device shows what it keeps.
  await finn.route('**/v1/inbox?*', (route) => route.abort());
  await finn.reload();
  await connected(finn);
  await finn.waitForSelector('#letters-open:not([hidden])');
  await openThread(finn, 'Eve');
  await until('the kept items', async () => (await shown(finn)).includes('by mail'));
  noFaults(finn);
});

test('a device acknowledges what it has written: after a write that failed it asks with the cursor from before', async () => {
  const { server } = site;
  await acquaint(server, 'gil', 'hana');
  const hana = await open('hana');
  const cursors = () => hana.asked.filter(({ pathname }) => pathname === '/v1/inbox').map(({ searchParams }) => searchParams.get('cursor'));
  await until('the answer is kept', async () => (await hana.evaluate(keptCursor, 'hana')) !== null);
  const kept = await hana.evaluate(keptCursor, 'hana');
  await hana.goto('about:blank');
  await write(server, 'gil', 'hana', 'while away');
  // The disk is full for items.
  await hana.addInitScript(() => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...given) {
      if (sessionStorage.getItem('full') !== null && this.name === 'items') this.transaction.abort();
      return put.apply(this, given);
    };
  });
  await hana.goto(`${server.origin}/icon.svg`);
  await hana.evaluate(() => sessionStorage.setItem('full', ''));
  hana.asked.length = 0;
  await hana.goto(server.origin);
  await connected(hana);
  await until('it asks', () => cursors().length > 0);
  await pause(500);
  assert.equal(cursors()[0], kept);
  assert.equal(await hana.evaluate(keptCursor, 'hana'), kept, 'nothing was written');
  await hana.evaluate(() => sessionStorage.removeItem('full'));
  hana.asked.length = 0;
  await hana.reload();
  await connected(hana);
  await until('the letter counts', async () => (await badge(hana)) === 1);
  assert.equal(cursors()[0], kept);
  await until('it is kept', async () => (await hana.evaluate(keptCursor, 'hana')) !== kept);
  noFaults(hana);
});

/** Returns the cursor that the page keeps in IndexedDB; null without one. */
function keptCursor(user) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(`barrage-inbox-${user}`);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const reading = opening.result.transaction('stand').objectStore('stand').get('stand');
      reading.onsuccess = () => {
        opening.result.close();
        resolve(reading.result?.cursor ?? null);
      };
    };
  });
}

test('a browser that was offline is in step after one request', async (t) => {
  const { server } = site;
  await acquaint(server, 'ivo', 'june');
  const proxy = await Meddler.start('pass');
  t.after(() => proxy.stop());
  const [june, other] = [await open('june', { proxy: { server: proxy.origin } }), await open('june')];
  await openThread(june, 'Ivo');
  await until('the items', async () => (await shown(june)).length === 2);
  await june.context().setOffline(true);
  // Chromium keeps open connections, and spends a processor on them, until the page finds them silent after half a minute.
  proxy.cut();
  await june.waitForSelector('#trouble:not([hidden])');
  for (let n = 0; n < 5; n += 1) await write(server, 'ivo', 'june', `away ${n}`);
  await until('the other browser counts', async () => (await badge(other)) === 5);
  assert.ok(!(await shown(june)).includes('away 0'), 'offline');
  june.asked.length = 0;
  await june.context().setOffline(false);
  await until('all are there', async () => (await shown(june)).filter((text) => text.startsWith('away')).length === 5);
  assert.deepEqual(june.asked.filter(({ pathname }) => pathname === '/v1/inbox').length, 1);
  await until('reading counts in the other', async () => (await badge(other)) === 0);
  noFaults(june, other);
});

test('older items come by scrolling, and the place of the reader stays', async () => {
  const { server } = site;
  const conversation = await acquaint(server, 'kim', 'leo');
  for (let page = 0; page < 2; page += 1) {
    const letters = Array.from({ length: 60 }, (_, n) => ({ type: 'text', id: `old-${page}-${n}`, text: `old ${page * 60 + n}` }));
    await request(server, 'kim', 'POST', '/v1/users/leo/packages', { letters });
  }
  await until('all items', async () => (await request(server, 'leo', 'GET', '/v1/inbox')).conversations[0].head === 122);
  const leo = await open('leo');
  await openThread(leo, 'Kim');
  await until('the newest', async () => (await shown(leo)).at(-1) === 'old 119');
  const before = (await shown(leo)).length;
  // Near the beginning, and not at it: the browser itself would hold the place there.
  // The item at the top is read at once: older ones may be there a moment later.
  const [at, topBefore] = await leo.$eval('.letter-scroll', (node) => {
    node.scrollTop = 40;
    const words = document.querySelector('.letter-words');
    return [words.textContent, words.getBoundingClientRect().top];
  });
  await until('older items', async () => (await shown(leo)).length > before);
  const top = await leo.$eval(`.letter-words:text-is("${at}")`, (node) => node.getBoundingClientRect().top);
  assert.ok(Math.abs(top - topBefore) < 30, `the reader stays at the item that was at the top: ${topBefore} and ${top}`);
  await until('the beginning', async () => {
    await leo.$eval('.letter-scroll', (node) => (node.scrollTop = 0));
    return (await shown(leo))[0] === 'hello leo';
  });
  assert.equal((await shown(leo)).length, 122);
  await leo.click('.thread > .newer');
  await until('the end', async () => leo.$eval('.letter-scroll', (node) => node.scrollHeight - node.scrollTop - node.clientHeight < 4));
  assert.ok(leo.asked.filter(({ pathname }) => pathname.includes(conversation)).length >= 2, 'older items are asked for');
  noFaults(leo);
});

test('a letter to a user who blocks is refused with its reason, and can be sent again', async () => {
  const { server } = site;
  await acquaint(server, 'mona', 'nick');
  const mona = await open('mona');
  await openThread(mona, 'Nick');
  await request(server, 'nick', 'PUT', '/v1/blocks/mona');
  await until('the block is in force', async () => (await request(server, 'nick', 'GET', '/v1/inbox/preferences')).blocked.includes('mona'));
  await pause(5_100);
  await type(mona, 'are you there?');
  await mona.waitForSelector('.letter-failed:has-text("one of you blocks the other")');
  await request(server, 'nick', 'DELETE', '/v1/blocks/mona');
  await until('the block has ended', async () => !(await request(server, 'nick', 'GET', '/v1/inbox/preferences')).blocked.includes('mona'));
  await until('sent again', async () => {
    if (await mona.isVisible('.letter-retry .chip:text-is("Send again")')) await mona.click('.letter-retry .chip:text-is("Send again")');
    return (await shown(mona)).includes('are you there?');
  });
  assert.equal((await shown(mona)).filter((text) => text === 'are you there?').length, 1);
  noFaults(mona);
});

test('settings and blocks: the rules are kept, a block closes the conversation, and ends there', async () => {
  const { server } = site;
  await acquaint(server, 'olga', 'pia');
  const pia = await open('pia');
  await pia.click('#letters-open');
  await pia.click('.letters-head [aria-label="Inbox settings"]');
  await pia.check('.letter-preferences input[value=known]');
  await pia.uncheck('.letter-preferences input[type=checkbox]');
  await until('the rules are in force', async () => {
    const { preferences } = await request(server, 'pia', 'GET', '/v1/inbox/preferences');
    return preferences.policy === 'known' && preferences.receipts === 'hidden';
  });
  await pia.click('.letters-head [aria-label=Back]');
  await openThread(pia, 'Olga');
  await pia.click('.letters-head [aria-label="More actions"]');
  await pia.click('.menu [role=menuitem]:has(span:text-is("Block…"))');
  await pia.click('.menu [role=menuitem]:has(span:text-is("Block"))');
  await pia.waitForSelector('.letter-banner:has-text("You block this user")');
  assert.ok(await pia.isHidden('.letter-box'));
  await pia.click('.letter-banner .chip:text-is("Unblock")');
  await pia.waitForSelector('.letter-box:not([hidden])');
  await pia.click('.letters-head [aria-label="More actions"]');
  await pia.click('.menu [role=menuitem]:has(span:text-is("Mute"))');
  await write(server, 'olga', 'pia', 'quietly');
  await until('it arrives', async () => (await shown(pia)).includes('quietly'));
  assert.equal(await badge(pia), 0, 'a muted conversation counts in no total');
  noFaults(pia);
});

test('the drawer works by keyboard alone, and is fine for screen readers in both languages, sizes and schemes', async () => {
  const { server } = site;
  await acquaint(server, 'quin', 'rosa');
  await write(server, 'stranger', 'rosa', 'may I ask something?');
  const rosa = await open('rosa');
  const focused = () => rosa.evaluate(() => document.activeElement.className || document.activeElement.id);
  await rosa.focus('#letters-open');
  await rosa.keyboard.press('Enter');
  await rosa.waitForSelector('.conversation.folder');
  await rosa.keyboard.press('ArrowDown');
  assert.match(await focused(), /conversation/);
  assert.deepEqual(await violations(rosa, '.letters'), [], 'the list');
  await rosa.keyboard.press('Enter');
  await rosa.waitForSelector('.letter-text');
  assert.equal(await focused(), 'letter-text');
  await rosa.keyboard.type('by keyboard');
  await rosa.keyboard.press('Enter');
  await until('sent', async () => (await shown(rosa)).includes('by keyboard'));
  assert.deepEqual(await violations(rosa, '.letters'), [], 'a conversation');
  await rosa.focus('.letter-list');
  await rosa.keyboard.press('ArrowUp');
  await rosa.keyboard.press('Enter');
  await rosa.waitForSelector('.menu');
  await rosa.keyboard.press('Escape');
  await rosa.keyboard.press('Escape');
  await rosa.waitForSelector('.conversation-list');
  await rosa.keyboard.press('Escape');
  assert.equal(await focused(), 'chip square letters-open');
  assert.equal(await rosa.getAttribute('#letters-open', 'aria-expanded'), 'false');
  for (const [options, title] of [[{ ...phone, locale: 'zh-CN', colorScheme: 'light' }, '私信'], [{ ...phone, locale: 'en-US', colorScheme: 'dark' }, 'Inbox']]) {
    const small = await open('rosa', options);
    await small.tap('#letters-open');
    assert.equal(await small.textContent('.letters-title'), title);
    assert.deepEqual(await violations(small, '.letters', LOOKS), [], `${title}: the list`);
    await small.tap('.conversation:has(.conversation-name:text-is("Quin"))');
    await small.waitForSelector('.letter');
    assert.deepEqual(await violations(small, '.letters', LOOKS), [], `${title}: a conversation`);
    assert.ok(await small.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is pushed out');
    noFaults(small);
  }
  noFaults(rosa);
});

test('guests and anonymous viewers load no inbox', async () => {
  const { open: visit } = await import('./browser.mjs');
  const loaded = [];
  const guest = await visit(site.browser, site.server, { prepare: (page) => void page.on('request', (made) => loaded.push(new URL(made.url()).pathname)) });
  await send(guest, 'I am a guest');
  await pause(500);
  assert.deepEqual(loaded.filter((path) => /letters|inbox/.test(path)), []);
  assert.ok(await guest.isHidden('#letters-open'));
  noFaults(guest);
});
