// The emote sets of the platform and of a room with all fields. The list of the SDK has the words of texts alone.

import type { Room } from '@barrage/client';
import type { Medium } from '@barrage/client/media';

/** Emotes of both sets that are read; the server allows 11,000. */
const EMOTES_MAX = 11_000;
/** Address of a form; a set names no host. */
const PATH = /^\/v1\/media\/[0-9a-f]{64}\/[a-z0-9]{1,16}\?/;

export interface SetEmote {
  id: string;
  name: string;
  url: string;
  px: number[];
  animated?: boolean;
  /** A word of texts, a picture that is sent alone, or the picture of the badge `name`. */
  kind: 'emote' | 'sticker' | 'badge';
  /** The picture, where it was uploaded to this server: the address is then on the media hosts. */
  media?: Pick<Medium, 'digest' | 'width' | 'height'>;
}

/** Reads the platform's set and the room's, which is last. Null where a server did not answer. */
export async function readSets(room: Pick<Room, 'call'>): Promise<SetEmote[] | null> {
  const sets = await Promise.all([room.call<Answer>({ path: '/v1/emotes' }), room.call<Answer>({ resource: 'emotes' })]);
  const all: SetEmote[] = [];
  for (const set of sets) {
    if (set.kind === 'refused') return null;
    all.push(...emotesOf(set.answer));
  }
  return all.slice(0, EMOTES_MAX);
}

/** Returns the emotes of an answer; one that is not as the server writes it is left out. */
export function emotesOf(answer: Answer | null): SetEmote[] {
  const given: unknown = answer?.emotes;
  return Array.isArray(given) ? given.flatMap(readOne) : [];
}

/** Returns the address of an uploaded picture, or null where no media host is known. */
export function uploadedUrl({ url }: Pick<SetEmote, 'url'>, host: string | null): string | null {
  return host !== null && PATH.test(url) ? host + url : null;
}

interface Answer {
  emotes?: unknown;
}

function readOne(value: unknown): SetEmote[] {
  const { id, name, url, px, kind, media, animated } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || typeof name !== 'string' || typeof url !== 'string' || !Array.isArray(px)) return [];
  const known = kind === 'sticker' || kind === 'badge' ? kind : 'emote';
  const picture = typeof media === 'object' && media !== null ? { media: media as Medium } : {};
  return [{ id, name, url, px: px as number[], kind: known, ...(animated === true ? { animated } : {}), ...picture }];
}
