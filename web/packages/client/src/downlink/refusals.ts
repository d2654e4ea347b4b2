// Refusals that come over HTTP, and their close codes.

import { CLOSE_ABNORMAL, type Refusal } from '../protocol/frames.ts';

/** Refusals that a proxy may have caused, because it did not pass the whole request on. */
const MISUNDERSTOOD = new Set(['bad_request', 'not_found', 'method_not_allowed', 'upgrade_required']);
/** Close codes of the refusals after which another attempt is no use; docs/reference/errors.md. */
const FINAL = new Map([
  ['unauthorized', 4010],
  ['token_expired', 4011],
  ['wrong_room', 4012],
  ['forbidden', 4013],
  ['unknown_room', 4014],
  ['room_closed', 4015],
  ['kicked', 4016],
  ['too_many_connections', 4023],
]);
const CLOSE_BACKOFF = 4100;

/** Returns the close code of a refusal that came over HTTP; 1006 where a proxy may have caused it. */
export function closeOf(refusal: Refusal): number {
  if (MISUNDERSTOOD.has(refusal.code)) return CLOSE_ABNORMAL;
  return FINAL.get(refusal.code) ?? CLOSE_BACKOFF;
}

/** Reads the refusal in an answer; null for an answer that is not of Barrage. */
export async function refusalOf(answer: Response): Promise<Refusal | null> {
  try {
    const { error } = (await answer.json()) as { error: Refusal };
    return typeof error.code === 'string' ? error : null;
  } catch {
    return null;
  }
}
