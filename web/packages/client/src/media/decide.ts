// What follows a refusal of a media host. Pure, so that a table tests it.

import type { Refusal } from './tus.ts';

/** Longest wait that an upload bears by itself; behind a longer one the user decides. */
const WAIT_MS_MAX = 60_000;
/** Failures in a row without a new byte, until the upload gives up. It continues when it is asked for again. */
export const FAILURES_MAX = 12;
/** Failures in a row after which an upload begins anew on another host, where there is one. */
const HOST_FAILURES_MAX = 6;
/** Uploads that may be begun for one file. */
const STARTS_MAX = 3;

/** How far an upload has come when a request of it is refused. */
export interface Progress {
  /** Whether the server has made the upload. */
  isCreated: boolean;
  /** Failures in a row, with this one. */
  failures: number;
  /** Times that the upload was begun. */
  starts: number;
  /** Whether the token was renewed since the last success. */
  isRenewed: boolean;
  /** Hosts that can be asked. */
  hosts: number;
}

/** `again`: ask where to continue. `anew`: forget the upload and begin another, on the next host where there is one. */
export type Step = { kind: 'again' | 'anew'; waitMs: number } | { kind: 'renew' } | { kind: 'end' };

export function decide({ status, code, waitMs }: Refusal, { isCreated, failures, starts, isRenewed, hosts }: Progress): Step {
  if (failures >= FAILURES_MAX) return { kind: 'end' };
  if (status === 401) return isRenewed ? { kind: 'end' } : { kind: 'renew' };
  const wait = waitMs ?? 0;
  if (isCreated && (status === 404 || status === 410)) return starts < STARTS_MAX ? { kind: 'anew', waitMs: wait } : { kind: 'end' };
  const passes = status === 409 || status === 408 || status === 429 || status === 460 || status >= 500 || (status === 0 && code === 'network');
  if (!passes || wait > WAIT_MS_MAX) return { kind: 'end' };
  // A creation leaves nothing behind, so that the next host may have it at once.
  if (!isCreated && hosts > 1) return { kind: 'anew', waitMs: wait };
  if (failures % HOST_FAILURES_MAX === 0 && hosts > 1 && starts < STARTS_MAX) return { kind: 'anew', waitMs: wait };
  return { kind: 'again', waitMs: wait };
}
