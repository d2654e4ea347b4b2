// Files that are dropped on the page, or chosen: a danmaku file, and a video.

import { byId } from '@barrage/ui/dom.ts';
import { readJsonl } from './jsonl.ts';
import { readXml, type Parsed } from './xml.ts';

/** Larger danmaku files are refused: they are no recordings of one stream. */
const FILE_BYTES_MAX = 128 * 1024 * 1024;

export interface Dropped {
  danmaku: (name: string, parsed: Parsed) => void;
  video: (file: File) => void;
  refused: (key: 'fileTooLarge' | 'fileUnknown' | 'fileEmpty', name: string) => void;
}

export function takeFiles(dropped: Dropped): void {
  const take = (files: Iterable<File>) => {
    for (const file of files) void read(file, dropped);
  };
  addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) document.body.classList.remove('dropping');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dropping');
    take(event.dataTransfer?.files ?? []);
  });
  for (const id of ['danmaku-file', 'video-file']) {
    const field = byId<HTMLInputElement>(id);
    field.addEventListener('change', () => {
      take(field.files ?? []);
      field.value = '';
    });
  }
}

async function read(file: File, dropped: Dropped): Promise<void> {
  const name = file.name.toLowerCase();
  if (file.type.startsWith('video/') || /\.(mp4|webm|mkv|mov|m4v|flv)$/.test(name)) return dropped.video(file);
  const isXml = name.endsWith('.xml');
  if (!isXml && !/\.(jsonl|ndjson|json)$/.test(name)) return dropped.refused('fileUnknown', file.name);
  if (file.size > FILE_BYTES_MAX) return dropped.refused('fileTooLarge', file.name);
  const text = await file.text();
  const parsed = isXml ? readXml(text, `${file.name}#`) : readJsonl(text);
  if (parsed.messages.length === 0) return dropped.refused('fileEmpty', file.name);
  dropped.danmaku(file.name, parsed);
}
