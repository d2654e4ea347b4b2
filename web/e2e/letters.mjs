// The inbox of the player page, as the tests use it.

import { open } from './browser.mjs';
import { until } from './server.mjs';

/** Opens the page as a user whose inbox is in step. `page.asked` has the requests of its inbox. */
export async function reader(browser, server, user, { wait = true, prepare, ...options } = {}) {
  const asked = [];
  const page = await open(browser, server, {
    token: await server.token(user, 'viewer', 'demo', ['--name', user[0].toUpperCase() + user.slice(1)]),
    ...options,
    prepare: async (made) => {
      made.on('request', (request) => {
        const url = new URL(request.url());
        if (url.pathname.startsWith('/v1/inbox') || url.pathname.startsWith('/v1/conversations/')) asked.push(url);
      });
      await prepare?.(made);
    },
  });
  page.asked = asked;
  if (wait) await page.waitForSelector('#letters-open:not([hidden])');
  return page;
}

/** Sends a request of a user to the server itself. */
export async function request(server, user, method, path, body) {
  const headers = { Authorization: `Bearer ${await server.token(user, 'viewer', 'demo', ['--name', user[0].toUpperCase() + user.slice(1)])}`, 'Content-Type': 'application/json' };
  const answer = await fetch(server.origin + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const json = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
  return json;
}

let letters = 0;

/** Sends a letter, and returns its conversation. */
export async function write(server, from, to, text) {
  letters += 1;
  const { conversation } = await request(server, from, 'POST', `/v1/users/${to}/messages`, { type: 'text', id: `e2e-${letters}`, text });
  return conversation;
}

/** Makes two users acquainted: both have written, and both have read. */
export async function acquaint(server, one, other) {
  const conversation = await write(server, one, other, `hello ${other}`);
  await until('the request', async () => (await request(server, other, 'GET', '/v1/inbox')).conversations?.some((row) => row.conversation === conversation));
  await write(server, other, one, `hello ${one}`);
  for (const user of [one, other]) {
    await until('both letters', async () => (await request(server, user, 'GET', '/v1/inbox')).conversations?.find((row) => row.conversation === conversation)?.head === 2);
    await request(server, user, 'POST', '/v1/inbox/reads', { reads: [{ conversation, position: 2 }] });
    await until('it is read', async () => (await request(server, user, 'GET', '/v1/inbox')).unread === 0);
  }
  return conversation;
}

/** Number on the badge; 0 without one. */
export async function badge(page) {
  return (await page.isVisible('.letters-count')) ? Number(await page.textContent('.letters-count')) : 0;
}

export async function openThread(page, name) {
  if (!(await page.isVisible('.letters'))) await page.click('#letters-open');
  await page.click(`.conversation:has(.conversation-name:text-is("${name}"))`);
  await page.waitForSelector('.letter-list');
}

/** Texts of the items that are shown, in order. */
export function shown(page) {
  return page.$$eval('.letter:not(.outgoing) .letter-words', (nodes) => nodes.map(({ textContent }) => textContent));
}

export async function type(page, text) {
  await page.fill('.letter-text', text);
  await page.press('.letter-text', 'Enter');
}

/** Chooses an entry of the menu on an item. */
export async function choose(page, text, entry) {
  const row = `.letter:has(.letter-words:text-is("${text}"))`;
  await page.hover(row);
  await page.click(`${row} .letter-more`);
  await page.click(`.menu [role=menuitem]:has(span:text-is("${entry}"))`);
}
