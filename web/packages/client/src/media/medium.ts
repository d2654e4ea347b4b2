// A medium, and the choice of the form that a place on the page needs.

/** One form of a medium. */
export interface Variant {
  /** Longest side in pixels, `original`, or `cover-…` with the side for a form of a clip's cover. */
  name: string;
  media_type: string;
  /** Length in bytes. */
  length: number;
  /** Address of the bytes, without a host: it is on each media host. One of a private medium ends at a full hour. */
  url: string;
}

/** A medium as the server describes it to those who may see it. */
export interface Medium {
  /** SHA-256 of the uploaded bytes, by which the medium is named. */
  digest: string;
  kind: 'image' | 'video' | 'audio' | 'file';
  /** Size of a picture, or of a clip's cover, in pixels. */
  width?: number;
  height?: number;
  is_animated: boolean;
  /** Whether all may see and send it, as a sticker; its addresses never end. */
  is_public?: boolean;
  /** Placeholder of a picture in Base64: `drawThumbhash` draws it. */
  thumbhash?: string;
  /** Forms, the smallest first. */
  variants: Variant[];
}

/** The place that a picture fills. */
export interface Wanted {
  /** Longest side of the place in CSS pixels. */
  side: number;
  /** Pixels of the screen in a CSS pixel. Default: 1. */
  density?: number | undefined;
  /** Whether an animation may move. Default: true. */
  moves?: boolean | undefined;
  /** Whether the user wants to save data: a density above 1 is ignored then. */
  saveData?: boolean | undefined;
}

/** Eyes see no difference beyond this density, and bytes grow with its square. */
const DENSITY_MAX = 2;
/** A form may be smaller than its place by this share before the next one is taken: 96 pixels serve a place of 100. */
const SHORTAGE = 0.9;

/** Returns the smallest form that fills a place; null for a medium without forms. */
export function chooseVariant(medium: Pick<Medium, 'is_animated' | 'variants'>, { side, density = 1, moves = true, saveData = false }: Wanted): Variant | null {
  const { variants } = medium;
  const moving = variants.find(({ name }) => name === 'original');
  if (moving && medium.is_animated && moves && !saveData) return moving;
  const needed = side * (saveData ? 1 : Math.min(density, DENSITY_MAX)) * SHORTAGE;
  const sized = variants.filter(({ name }) => sideOf(name) > 0).sort((one, other) => sideOf(one.name) - sideOf(other.name));
  return sized.find(({ name }) => sideOf(name) >= needed) ?? sized.at(-1) ?? moving ?? null;
}

/** Returns the Unix time in milliseconds at which an address ends; null for one that never does. */
export function addressEndsMs(url: string): number | null {
  const secs = Number(/[?&]e=(\d{1,12})(?:&|$)/.exec(url)?.[1]);
  return secs > 0 ? secs * 1_000 : null;
}

function sideOf(name: string): number {
  return Number(/^(?:cover-[0-9a-f]{64}-)?(\d{1,5})$/.exec(name)?.[1] ?? 0);
}
