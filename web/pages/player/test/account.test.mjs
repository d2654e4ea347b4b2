// Accounts without a browser: the answers of the protocol's page, the session, and the sentences.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiFailure } from '@barrage/ui/api.ts';
import { Accounts } from '../account/accounts.ts';
import { readAccount, readEnded, readInfo, readSessions } from '../account/answers.ts';
import { objection, sentenceOf } from '../account/sentences.ts';
import { readKept, Session, SESSION_KEY } from '../account/session.ts';
import { EN } from '../page/en.ts';
import { ZH } from '../page/zh.ts';

const PROTOCOL = readFileSync(new URL('../../../../docs/reference/protocol.md', import.meta.url), 'utf8');
const example = (name) => JSON.parse(new RegExp(`\`\`\`json ${name}\\n(.*?)\`\`\``, 's').exec(PROTOCOL)[1]);
const UPLINKS = ['https://up1.example', 'https://up2.example'];
const LOGIN = '/v1/accounts/login';

/** The storage of the browser, and the requests that the page sent. */
let stored;
let sent;
/** Answers a path with [status, body]; a status of 0 is a lost connection. */
let answers;

beforeEach(() => {
  stored = new Map();
  sent = [];
  answers = {};
  vi.stubGlobal('localStorage', {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => stored.set(key, value),
    removeItem: (key) => stored.delete(key),
  });
  vi.stubGlobal('fetch', async (url, init) => {
    const { origin, pathname } = new URL(url);
    sent.push({ url, origin, pathname, body: init.body === null ? null : JSON.parse(init.body) });
    const [status, body] = answers[`${origin}${pathname}`] ?? answers[pathname] ?? [404, { error: { code: 'not_found', message: '' } }];
    if (status === 0) throw new TypeError('no network');
    return new Response(JSON.stringify(body), { status });
  });
});
afterEach(() => vi.unstubAllGlobals());

const accounts = () => new Accounts(async () => UPLINKS);
const refused = (status, code, more = {}) => [status, { error: { code, message: code, ...more } }];

test('the answers of the protocol are read', () => {
  expect(readInfo(example('accounts-info'))).toEqual({ enabled: true, registration: true, passwordCharsMin: 8, nameCharsMax: 20 });
  const answer = example('account-answer');
  expect(readAccount(answer)).toEqual({ user: answer.user, name: 'Ann', token: answer.token, tokenExpiresAtMs: 1_700_000_900_000, session: 'bs-5f1e0c' });
  const { session, ...me } = answer;
  expect(readAccount(me).session).toBeNull();
  expect(readSessions(example('account-sessions-answer'))).toEqual([{ id: 's-9b2d7fa041c3e658', createdAtMs: 1_700_000_000_000, usedAtMs: 1_700_000_900_000, current: true }]);
  expect(readEnded(example('account-logout-answer'))).toBe(1);
});

test('what is no answer is none, and a damaged session is left out', () => {
  for (const forged of [null, 7, 'x', [], {}, { enabled: 'true' }, { user: 'u', name: 'n', token: 7 }, { sessions: 'x' }]) {
    expect([readInfo(forged), readAccount(forged), readSessions(forged), readEnded(forged)]).toEqual([null, null, null, null]);
  }
  expect(readSessions({ sessions: [null, { id: 7 }] })).toEqual([]);
});

test('requests have the bodies of the protocol, go to an uplink, and have no secret in the URL', async () => {
  answers['/v1/accounts/login'] = [200, example('account-answer')];
  answers['/v1/accounts/register'] = [200, example('account-answer')];
  answers['/v1/accounts/me'] = [200, example('account-answer')];
  answers['/v1/accounts/sessions'] = [200, example('account-sessions-answer')];
  answers['/v1/accounts/logout'] = [200, example('account-logout-answer')];
  const at = accounts();
  const login = example('account-login');
  await at.register(login);
  await at.login(login);
  await at.me('bs-5f1e0c');
  await at.sessions('bs-5f1e0c');
  expect(await at.logout('bs-5f1e0c', { id: 's-1c77be90a4d2f386' })).toBe(1);
  await at.logout('bs-5f1e0c', {});
  await at.logout('bs-5f1e0c', { all: true });
  const { session } = example('account-me');
  const bodies = [login, login, { session }, example('account-sessions'), example('account-logout'), { session }, { session, all: true }];
  expect(sent.map(({ body }) => body)).toEqual(bodies);
  for (const { origin, url } of sent) {
    expect(origin).toBe('https://up1.example');
    expect(url).not.toMatch(/horse|bs-|Ann/);
  }
});

test('another uplink answers where the first does not, but a registration is sent once', async () => {
  for (const path of ['login', 'register']) {
    answers[`https://up1.example/v1/accounts/${path}`] = [0];
    answers[`https://up2.example/v1/accounts/${path}`] = [200, example('account-answer')];
  }
  expect(await accounts().login(example('account-login'))).toMatchObject({ name: 'Ann' });
  sent = [];
  await expect(accounts().register(example('account-login'))).rejects.toMatchObject({ kind: 'network' });
  expect(sent.map(({ pathname }) => pathname)).toEqual(['/v1/accounts/register']);
});

test('a refusal is final', async () => {
  answers[LOGIN] = refused(401, 'unauthorized');
  await expect(accounts().login(example('account-login'))).rejects.toMatchObject({ code: 'unauthorized' });
  expect(sent.map(({ url }) => url)).toEqual([`https://up1.example${LOGIN}`]);
});

test('a session is kept without password and token, and makes a token for each connect', async () => {
  answers['/v1/accounts/me'] = [200, example('account-answer')];
  const first = new Session(accounts());
  expect(await first.token()).toBeNull();
  first.begin(readAccount(example('account-answer')));
  expect(JSON.parse(stored.get(SESSION_KEY))).toEqual({ secret: 'bs-5f1e0c', name: 'Ann' });
  const afterReload = new Session(accounts());
  const { token } = example('account-answer');
  expect([await afterReload.token(), await afterReload.token()]).toEqual([token, token]);
  expect(sent.filter(({ pathname }) => pathname === '/v1/accounts/me').length).toBe(2);
  expect([...stored.values()].join()).not.toContain(token);
  afterReload.forget();
  expect([stored.size, afterReload.now, afterReload.isOver]).toEqual([0, null, false]);
});

test('a session that the server ended is forgotten; one that nobody answers is kept', async () => {
  stored.set(SESSION_KEY, JSON.stringify({ secret: 'bs-1', name: 'Ann' }));
  const session = new Session(accounts());
  let changes = 0;
  session.on(() => (changes += 1));
  for (const lost of [[0], refused(503, 'unavailable'), refused(429, 'rate_limited')]) {
    answers['/v1/accounts/me'] = lost;
    await expect(session.token()).rejects.toBeInstanceOf(ApiFailure);
  }
  const tokens = { ...example('account-answer'), token_expires_at_ms: Date.now() + 60_000 };
  answers['/v1/accounts/me'] = [200, tokens];
  await session.token();
  answers['/v1/accounts/me'] = [0];
  expect(await session.token(), 'the last token counts until its end').toBe(tokens.token);
  expect([session.now.name, changes]).toEqual(['Ann', 0]);
  answers['/v1/accounts/me'] = refused(401, 'unauthorized');
  expect(await session.token()).toBeNull();
  expect([session.now, session.isOver, stored.size, changes]).toEqual([null, true, 0, 1]);
});

test('a damaged session is none', () => {
  for (const forged of [null, '', '{', '7', 'null', '{"secret":7,"name":"n"}', '{"secret":"","name":"n"}', '{"secret":"x"}']) expect(readKept(forged)).toBeNull();
});

test('each refusal is a sentence with its wait, in both languages', () => {
  const said = (code, wish = 'login', waitMs = null) => sentenceOf(new ApiFailure(code === 'network' ? 'network' : 'refused', code, 'why', waitMs), wish);
  expect(said('rate_limited', 'login', 42_000)).toEqual({ key: 'accountTooOften', waitMs: 42_000 });
  expect(said('overloaded', 'register', 1_000)).toEqual({ key: 'accountCrowded', waitMs: 1_000 });
  expect([said('unauthorized').key, said('unauthorized', 'sessions').key, said('bad_text').key, said('bad_text', 'register').key]).toEqual(['accountWrong', 'accountOver', 'accountWrong', 'accountNameRefused']);
  expect([said('forbidden', 'register').key, said('forbidden').key]).toEqual(['accountClosed', 'accountOff']);
  expect([said('network').key, said('network', 'register').key]).toEqual(['accountNoAnswer', 'accountNoAnswerRegister']);
  for (const odd of ['constructor', '__proto__', 'internal']) expect(said(odd)).toEqual({ key: 'accountFailed', values: { message: 'why' } });
  for (const code of ['conflict', 'bad_text', 'bad_request', 'not_found', 'unavailable']) {
    const { key } = said(code, 'register');
    expect([EN[key], ZH[key]].every((words) => words.length > 0)).toBe(true);
  }
});

test('fields are judged as the server judges them', () => {
  const info = readInfo(example('accounts-info'));
  const key = (name, password, wish = 'register') => objection({ name, password }, wish, info)?.key ?? null;
  expect([key('  ', 'long enough'), key('x'.repeat(21), 'long enough'), key('🎂'.repeat(20), 'long enough')]).toEqual(['accountNameMissing', 'accountNameLong', null]);
  expect([key('Ann', ''), key('Ann', '1234567'), key('Ann', '12345678'), key('Ann', '1234567', 'login')]).toEqual(['accountPasswordMissing', 'accountPasswordShort', null, null]);
  expect([key('Ann', '密'.repeat(341)), key('Ann', '密'.repeat(342)), key('Ann', '🎂'.repeat(8))]).toEqual([null, 'accountPasswordLong', null]);
});
