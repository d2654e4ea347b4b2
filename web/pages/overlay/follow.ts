// Joins the room as an overlay, and gives its messages to the view.

import { join, type Room } from '@barrage/client';
import { readSets } from '@barrage/ui/emote_sets.ts';
import { type Emotes } from './feed/emotes.ts';
import { type Settings } from './settings.ts';
import { problem } from './texts.ts';
import { type View } from './feed/view.ts';

/** Follows the room for as long as the page is open. `token` is null for a room that anybody may watch. */
export function follow(settings: Settings, token: string | null, view: View, emotes: Emotes, root: HTMLElement): Room {
  // A mixer may hide the page for the browser while it is on the air, so that no message is only counted.
  const room = join({ room: settings.room, token: () => token, platform: 'overlay', background: 'all', storage: null });
  const load = async (): Promise<void> => {
    const sets = settings.emotes ? await readSets(room) : null;
    if (sets) emotes.take(sets, sets.some(({ media }) => media !== undefined) ? await mediaHost(settings.room) : null);
  };
  room.on('hello', () => void load());
  room.on('state', (state) => {
    root.dataset['state'] = state.kind;
    const place = root.querySelector<HTMLElement>('.problem') as HTMLElement;
    place.hidden = state.kind !== 'ended';
    if (state.kind === 'ended') place.textContent = problem(settings.lang, state.code);
  });
  room.on('roomState', (state) => view.onTop(state.super_chats));
  room.on('batch', ({ messages }) => {
    for (const { sequence, body } of messages) {
      view.show(body, sequence);
      if (body.type === 'signal' && body.signal === 'emotes') void load();
    }
  });
  return room;
}

/** Returns the host of uploaded pictures; null where none is known. */
export async function mediaHost(room: string): Promise<string | null> {
  try {
    const { mediaHosts } = await import('@barrage/client/media');
    return (await mediaHosts([location.origin], room)).hosts[0] ?? null;
  } catch {
    return null;
  }
}
