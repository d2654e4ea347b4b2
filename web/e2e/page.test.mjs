// Two viewers in one room, with the real server and a real browser.

import assert from 'node:assert/strict';
import { after, before, test } from './suite.mjs';
import { chats, gifts, launch, MOVING, open, send } from './browser.mjs';
import { Server, until } from './server.mjs';

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function closing(pages, run) {
  try {
    await run();
    for (const page of pages) assert.deepEqual(page.faults, []);
  } finally {
    for (const page of pages) await page.context().close();
  }
}

test('a message of one page appears in the list and on the stage of another', async () => {
  const ann = await open(browser, server, { query: '?name=Ann' });
  const bob = await open(browser, server, { ...MOVING, query: '?name=Bob' });
  await closing([ann, bob], async () => {
    await send(ann, '你好，世界 hello');
    await bob.waitForSelector('#flight .danmaku', { state: 'attached' });
    assert.equal(await bob.textContent('#flight .danmaku'), '你好，世界 hello');
    await until('both lists show it', async () => (await chats(bob)).includes('你好，世界 hello') && (await chats(ann)).includes('你好，世界 hello'));
    assert.equal(await bob.textContent('#list .row.chat .who'), 'Ann');
    assert.equal(await ann.inputValue('#text'), '', 'an accepted text leaves the box');
    await until('both are counted', async () => Number(await bob.textContent('#online-count')) >= 2);
  });
});

test('a connection that was not used for long is opened while the viewer begins to write, and once', async () => {
  const ann = await open(browser, server);
  await closing([ann], async () => {
    const asked = [];
    ann.on('request', (request) => asked.push(new URL(request.url()).pathname));
    // The emotes and the history have just used it.
    await until('they are loaded', async () => (await ann.getAttribute('#list', 'data-past')) !== null);
    await ann.focus('#text');
    assert.deepEqual(asked.filter((path) => path === '/v1/ping'), []);
    await ann.evaluate(() => document.activeElement.blur());
    await ann.clock.install();
    await ann.clock.fastForward(101_000);
    const answered = ann.waitForResponse((response) => response.url().endsWith('/v1/ping'));
    await ann.focus('#text');
    assert.equal((await answered).status(), 204);
    await ann.keyboard.type('typed key by key');
    await ann.click('#send');
    await until('the text is sent', async () => (await ann.inputValue('#text')) === '');
    await ann.keyboard.type('again');
    assert.equal(asked.filter((path) => path === '/v1/ping').length, 1, asked.join(' '));
  });
});

test('a danmaku has the chosen colour, position and size', async () => {
  const ann = await open(browser, server);
  const bob = await open(browser, server);
  await closing([ann, bob], async () => {
    await ann.click('#style-button');
    await ann.check('input[name=mode][value=top]', { force: true });
    await ann.check('input[name=size][value=large]', { force: true });
    await ann.check('input[name=color][value="16765286"]', { force: true });
    await send(ann, 'styled');
    const flying = await bob.waitForSelector('#flight .danmaku.large', { state: 'attached' });
    assert.equal(await flying.evaluate((node) => node.style.color), 'rgb(255, 209, 102)');
  });
});

test('a gift has a banner and a row, and a super chat shows its price', async () => {
  const ann = await open(browser, server, { query: '?name=Ann' });
  const bob = await open(browser, server);
  await closing([ann, bob], async () => {
    await ann.click('[data-offer=rocket]');
    await bob.waitForSelector('#banners .banner.gift');
    assert.match(await bob.textContent('#banners .banner.gift'), /Ann.*Rocket.*×1/);
    await until('the row', async () => (await gifts(bob)).includes('Rocket'));
    await ann.fill('#text', 'happy birthday');
    await ann.click('[data-offer=super]');
    await ann.click('#super-send');
    await bob.waitForSelector('#list .row.super');
    assert.match(await bob.textContent('#list .row.super'), /¥30.*happy birthday/);
  });
});

test('likes change the counter of all viewers', async () => {
  const ann = await open(browser, server);
  const bob = await open(browser, server);
  await closing([ann, bob], async () => {
    for (let click = 0; click < 5; click += 1) await ann.click('#like');
    for (const page of [ann, bob]) await until('the sum', async () => (await page.textContent('#likes')) === '5');
  });
});

test('a muted viewer sees for how long, and others can still send', async () => {
  const muted = await open(browser, server, { token: await server.token('mallory') });
  const other = await open(browser, server);
  await closing([muted, other], async () => {
    assert.equal(new URL(muted.url()).hash, '', 'the token leaves the address bar');
    await send(muted, 'before the mute');
    await until('it was heard', async () => (await chats(other)).includes('before the mute'));
    await server.adminPost('/v1/admin/rooms/demo/mute', { user: 'mallory', secs: 60 });
    // The hint comes from the signal or from the refusal, whichever is first.
    await send(muted, 'after the mute');
    await until('the refusal', async () => /You are muted/.test(await muted.textContent('#hint')));
    await until('the countdown', async () => /\d+ s/.test(await muted.textContent('#send-text')));
    assert.equal(await muted.inputValue('#text'), 'after the mute', 'a refused text stays');
    await send(other, 'others go on');
    await until('the other is heard', async () => (await chats(muted)).includes('others go on'));
    assert.ok(!(await chats(other)).includes('after the mute'));
    await server.adminPost('/v1/admin/rooms/demo/unmute', { user: 'mallory' });
  });
});

test('the server names the rule of repeats, and the page lets only that text wait', async () => {
  const page = await open(browser, server);
  await closing([page], async () => {
    await until('the text has to wait', async () => {
      await send(page, 'again and again');
      await until('the post is answered', async () => (await page.$('#composer.busy')) === null);
      return /You have sent this text too often/.test(await page.textContent('#hint'));
    });
    await page.fill('#text', 'again and again');
    assert.ok(await page.isDisabled('#send'));
    await page.fill('#text', 'something else');
    assert.ok(await page.isEnabled('#send'));
  });
});

test('a recalled message leaves the list', async () => {
  const ann = await open(browser, server);
  await closing([ann], async () => {
    const token = await server.token('poster');
    const { sequence } = await server.post(token, { type: 'chat', id: 'recall-1', text: 'taken back' });
    await until('it shows', async () => (await chats(ann)).includes('taken back'));
    await server.adminPost('/v1/admin/rooms/demo/recall', { sequence });
    await until('it is gone', async () => !(await chats(ann)).includes('taken back'));
  });
});

test('a moderator pins, purges and clears, and the page of a viewer follows', async () => {
  const ann = await open(browser, server);
  await closing([ann], async () => {
    const [token, moderator] = [await server.token('purged'), await server.token('mia', 'moderator')];
    const act = async (id, action) => {
      const answer = await server.post(moderator, { id, action }, 'demo', 'actions');
      assert.equal(answer.status, 200, JSON.stringify(answer));
    };
    const { sequence } = await server.post(token, { type: 'chat', id: 'pin-1', text: '<b>pinned</b> words' });
    await server.post(token, { type: 'chat', id: 'pin-2', text: 'more of it' });
    await until('both show', async () => (await chats(ann)).includes('more of it'));
    await act('e2e-pin', { type: 'pin', sequence });
    await until('the pin', async () => (await ann.textContent('#pinned')).includes('<b>pinned</b> words'));
    await act('e2e-purge', { type: 'purge', user: 'purged' });
    await until('all of the user is gone', async () => {
      const shown = await chats(ann);
      return !shown.some((text) => text.includes('pinned') || text === 'more of it');
    });
    assert.ok(await ann.isHidden('#pinned'));
    await server.post(token, { type: 'chat', id: 'pin-3', text: 'after the purge' });
    await until('later messages show', async () => (await chats(ann)).includes('after the purge'));
    await act('e2e-clear', { type: 'clear' });
    await until('the list is empty', async () => (await chats(ann)).length === 0);
  });
});

test('the list follows the newest row, except while the viewer reads older rows', async () => {
  const ann = await open(browser, server);
  await closing([ann], async () => {
    const token = await server.token('talker');
    const say = (n) => server.post(token, { type: 'gift', id: `scroll-${n}`, gift: { name: `scroll ${n}`, count: 1 } });
    for (let n = 0; n < 30; n += 1) await say(n);
    await until('all rows', async () => (await gifts(ann)).includes('scroll 29'));
    const atEnd = () => ann.$eval('#list', (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 48);
    await until('the end is in view', atEnd);
    await ann.$eval('#list', (list) => list.scrollTo(0, 0));
    await until('the list saw it', async () => !(await atEnd()));
    await say(30);
    await ann.waitForSelector('#newer:not([hidden])');
    assert.equal(await ann.$eval('#list', (list) => list.scrollTop), 0);
    await ann.click('#newer');
    await until('back at the end', atEnd);
  });
});

/** Time in the background after which a page counts chat, and a little more. */
const HIDDEN_MS = 30_500;

for (const transport of ['ws', 'sse']) {
  test(`a page that was in the background for 30 s counts chat, shows gifts, and goes on as before: ${transport}`, async () => {
    const sent = [];
    const prepare = async (page) => {
      page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => /visibility/.test(payload) && sent.push(JSON.parse(payload).hidden)));
      if (transport === 'sse') await page.addInitScript(() => delete window.WebSocket);
    };
    const ann = await open(browser, server, { prepare });
    await closing([ann], async () => {
      assert.equal(await ann.getAttribute('#state', 'data-transport'), transport);
      const token = await server.token('speaker');
      const say = async (words) => {
        const { outcome } = await server.post(token, { type: 'chat', id: `${transport}-${words.replaceAll(' ', '-')}`, text: `${words} by ${transport}` });
        assert.equal(outcome, 'broadcast');
      };
      const mine = async () => (await chats(ann)).filter((text) => text.endsWith(` by ${transport}`));
      const show = (isHidden) =>
        ann.evaluate((hidden) => {
          Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event('visibilitychange'));
        }, isHidden);
      await say('before');
      await until('it is shown', async () => (await mine()).length === 1);
      await ann.clock.install();
      const later = (what, holds) =>
        until(what, async () => {
          await ann.clock.runFor(300);
          return holds();
        });
      await show(true);
      await say('at once');
      await later('a page that has just been left shows chat', async () => (await mine()).length === 2);
      await ann.clock.fastForward(HIDDEN_MS);
      if (transport === 'ws') await later('the server may count', () => sent.at(-1) === true);
      for (let n = 0; n < 5; n += 1) await say(`hidden ${n}`);
      const gift = `gift by ${transport}`;
      await server.post(token, { type: 'gift', id: `gift-${transport}`, gift: { name: gift, count: 1 } });
      await later('the gift is shown', async () => (await gifts(ann)).includes(gift));
      assert.deepEqual(await mine(), [`before by ${transport}`, `at once by ${transport}`]);
      await show(false);
      await later('the number is shown', () => ann.isVisible('#list .row.note:has-text("5 more danmaku not shown")'));
      if (transport === 'ws') await later('the server sends chat again', () => sent.at(-1) === false);
      await say('after');
      await later('it is shown', async () => (await mine()).length === 3);
      assert.equal((await mine()).at(-1), `after by ${transport}`);
      assert.deepEqual((await gifts(ann)).filter((name) => name === gift), [gift], 'the gift once');
      assert.equal(await ann.getAttribute('#state', 'data-state'), 'open');
    });
  });
}

test('the page has Chinese and English texts', async () => {
  const zh = await open(browser, server, { locale: 'zh-CN' });
  await closing([zh], async () => {
    assert.equal((await zh.textContent('#send-text')).trim(), '发送');
    await zh.click('#language');
    assert.equal((await zh.textContent('#send-text')).trim(), 'Send');
    assert.equal(await zh.getAttribute('html', 'lang'), 'en');
  });
});
