// Which sentence tells a person why a request of an account did not succeed, and how long to wait. Pure.

import { ApiFailure } from '@barrage/ui/api.ts';
import { type Key } from '../page/zh.ts';
import { type Login } from './accounts.ts';
import { type AccountsInfo } from './answers.ts';

/** What the person wanted to do. */
export type Wish = 'login' | 'register' | 'sessions';

export interface Sentence {
  key: Key;
  values?: Record<string, string | number>;
  /** Milliseconds until another attempt may succeed; absent when none has to wait. */
  waitMs?: number;
}

/** Maximum length of a password at the server. */
const PASSWORD_BYTES_MAX = 1_024;

const BY_CODE: Record<string, Key> = {
  conflict: 'accountTaken',
  bad_text: 'accountNameRefused',
  bad_request: 'accountPasswordRefused',
  forbidden: 'accountOff',
  rate_limited: 'accountTooOften',
  overloaded: 'accountCrowded',
  not_found: 'accountSessionGone',
  unavailable: 'refused_unavailable',
};

/** Returns the sentence for a failed request. */
export function sentenceOf(failure: unknown, wish: Wish): Sentence {
  if (!(failure instanceof ApiFailure)) return { key: 'accountFailed', values: { message: String(failure) } };
  const { kind, code, message, retryAfterMs } = failure;
  const wait = retryAfterMs === null ? {} : { waitMs: retryAfterMs };
  if (kind === 'network') return { key: wish === 'register' ? 'accountNoAnswerRegister' : 'accountNoAnswer' };
  if (wish === 'login' && (code === 'unauthorized' || code === 'bad_text')) return { key: 'accountWrong' };
  if (wish === 'register' && code === 'forbidden') return { key: 'accountClosed' };
  if (code === 'unauthorized') return { key: 'accountOver' };
  const key = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  return key === undefined ? { key: 'accountFailed', values: { message }, ...wait } : { key, ...wait };
}

/** Returns why these fields need no request; null when the server may judge them. Lengths are those of the server. */
export function objection({ name, password }: Login, wish: Wish, { nameCharsMax, passwordCharsMin }: AccountsInfo): Sentence | null {
  const nameChars = [...name.trim()].length;
  if (nameChars === 0) return { key: 'accountNameMissing' };
  if (nameChars > nameCharsMax) return { key: 'accountNameLong', values: { max: nameCharsMax } };
  if (password === '') return { key: 'accountPasswordMissing' };
  // The server counts the characters of this form, in which all keyboards write the same.
  const normal = password.normalize('NFKC');
  if (new TextEncoder().encode(normal).length > PASSWORD_BYTES_MAX) return { key: 'accountPasswordLong', values: { max: PASSWORD_BYTES_MAX } };
  if (wish === 'register' && [...normal].length < passwordCharsMin) return { key: 'accountPasswordShort', values: { min: passwordCharsMin } };
  return null;
}
