// Sounds and files of letters: what they are, and their bytes when the reader asks for them. Nothing of a file is shown in the
// page: it is saved.

import { type Medium } from '@barrage/client';
import { element, icon } from '@barrage/ui/dom.ts';
import { bytes as sizeOf } from '@barrage/ui/format.ts';
import { loadPictures, type Spot } from './box.ts';
import { t } from './texts.ts';

/** Largest file that is read into memory, so that it is saved under its own name; a larger one goes straight to the disk. */
const NAMED_BYTES_MAX = 64 << 20;
/** Time after which the bytes of a saved file may go from memory. */
const SAVED_MS = 60_000;

/** Creates the button of a sound, which becomes a player when it is pressed. */
export function soundBox(medium: Medium, name: string, spot: Spot | null): HTMLElement {
  const shown = element('span', 'file-name', t('voice'));
  shown.setAttribute('aria-hidden', 'true');
  const box = boxOf('sound', 'play', t('voiceOf', { name }), shown, medium);
  box.addEventListener('click', () => void play(box, medium, spot));
  return box;
}

async function play(box: HTMLButtonElement, medium: Medium, spot: Spot | null): Promise<void> {
  const address = await addressOf(box, medium, spot);
  if (address === null) return;
  const player = element('audio', 'sound-player');
  player.controls = true;
  player.preload = 'none';
  player.src = address;
  player.setAttribute('aria-label', t('voice'));
  box.replaceWith(player);
  player.focus();
  // The reader has asked for it by the press.
  await player.play().catch(() => undefined);
}

/** Creates the button of a file with its name and size. */
export function fileBox(medium: Medium, fileName: string, spot: Spot | null): HTMLElement {
  const box = boxOf('file', 'file', t('download'), element('bdi', 'file-name', fileName || t('file')), medium);
  box.addEventListener('click', () => void save(box, medium, fileName, spot));
  return box;
}

async function save(box: HTMLButtonElement, medium: Medium, fileName: string, spot: Spot | null): Promise<void> {
  const address = await addressOf(box, medium, spot);
  if (address === null) return;
  const link = element('a', '');
  // The server names its answer by the digest: only bytes of this page are saved under another name.
  const bytes = lengthOf(medium) <= NAMED_BYTES_MAX ? await read(address) : null;
  link.href = bytes === null ? address : URL.createObjectURL(bytes);
  link.download = fileName.replace(/[\\/:*?"<>|\u0000-\u001f]/gu, '_');
  link.rel = 'noopener noreferrer';
  link.click();
  if (bytes !== null) setTimeout(() => URL.revokeObjectURL(link.href), SAVED_MS);
}

/** Reads bytes without their type, so that no browser opens them; null where they cannot be read. */
async function read(address: string): Promise<Blob | null> {
  try {
    const answer = await fetch(address, { referrerPolicy: 'no-referrer' });
    return answer.ok ? new Blob([await answer.arrayBuffer()], { type: 'application/octet-stream' }) : null;
  } catch {
    return null;
  }
}

/** Creates a button of a name and a size. `does` is what a press does, for those who hear the page. */
function boxOf(kind: 'sound' | 'file', sign: string, does: string, shown: HTMLElement, medium: Medium): HTMLButtonElement {
  const words = element('span', 'file-words', shown, ' ', element('span', 'file-size', sizeOf(lengthOf(medium))));
  const box = element('button', `file-box ${kind}`, icon(sign), element('span', 'hidden', `${does} `), words);
  box.type = 'button';
  box.title = does;
  return box;
}

/** Asks for an address that can be read now; writes into the box where there is none. */
async function addressOf(box: HTMLButtonElement, medium: Medium, spot: Spot | null): Promise<string | null> {
  box.disabled = true;
  const pictures = await loadPictures()?.catch(() => null);
  const address = (await pictures?.original(medium, spot)) ?? null;
  box.disabled = false;
  box.classList.toggle('gone', address === null);
  if (address === null) box.querySelector('.file-size')!.textContent = t('gone');
  return address;
}

function lengthOf({ variants }: Medium): number {
  return variants.find(({ name }) => name === 'original')?.length ?? 0;
}
