// The box of a picture or clip in a row. Its size is known from the message, so that the row never moves; what fills it is loaded
// with the first picture that a page shows.

import { type Medium, type Room } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';
import { boxOf } from './size.ts';
import type { Pictures } from './pictures.ts';

/** What pictures need of the page. */
export interface PicturePage {
  room: Room;
  roomId: string;
  entries: readonly string[];
}

/** Where a picture is: the sequence in the room, or the position in a conversation of the inbox. */
export interface Spot {
  conversation: string | null;
  position: number;
}

/** When the bytes are loaded: when the box comes near the view, or when its user opens the picture. */
export type When = 'near' | 'asked';

/** Height of a picture on the stage in CSS pixels. */
const STAGE_PX = 48;

let page: PicturePage | null = null;
let loaded: Promise<Pictures> | null = null;
let now: Pictures | null = null;

/** Notes the room of the page, before its first message. */
export function picturesOf(of: PicturePage): void {
  page = of;
}

/** Loads what shows pictures; null before the room is known. */
export function loadPictures(): Promise<Pictures> | null {
  const of = page;
  if (!of) return null;
  loaded ??= import('./pictures.ts').then(({ Pictures: Made }) => (now = new Made(of)));
  loaded.catch(() => {
    loaded = null;
  });
  return loaded;
}

/** Returns the medium of a body; null for one that was removed, and for one without forms, which no server sends. */
function usable(medium: Medium | null): Medium | null {
  return Array.isArray(medium?.variants) ? medium : null;
}

/** Returns the address of a small picture for the stage; null while that is not known. */
export function stageAddress(medium: Medium): string | null {
  void loadPictures();
  const found = usable(medium);
  return (found && now?.address(found, STAGE_PX)) ?? null;
}

/** Creates the box of a picture or clip; `null` is one that was removed, of which a sentence is left. */
export function pictureBox(given: Medium | null, name: string, spot: Spot | null, when: When = 'near'): HTMLElement {
  const medium = usable(given);
  if (medium === null) return removed(name);
  const box = element('button', 'picture');
  box.type = 'button';
  box.tabIndex = -1;
  const { width, height } = boxOf(medium);
  box.style.aspectRatio = `${width} / ${height}`;
  box.style.width = `${width}px`;
  if (medium.is_public) box.classList.add('sticker');
  if (medium.kind === 'video') box.classList.add('clip');
  loadPictures()?.then(
    (pictures) => pictures.fill(box, medium, name, spot, when),
    () => box.classList.add('gone'),
  );
  return box;
}

function removed(name: string): HTMLElement {
  const box = element('span', 'picture-removed');
  loadPictures()?.then(
    (pictures) => pictures.fill(box, null, name, null, 'asked'),
    () => undefined,
  );
  return box;
}
