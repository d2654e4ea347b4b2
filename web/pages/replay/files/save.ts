// Saves a recording as a file: by the server where it can, else from the messages that are loaded.

import { Api, ApiFailure } from '@barrage/ui/api.ts';
import { historyPath, uplinkOf } from '../archive.ts';
import { type Message } from '../timeline/message.ts';
import { toJsonl, toXml } from './export.ts';

export type Format = 'xml' | 'jsonl' | 'ass';

/** Asks the server for the archive as a file. Returns null where it has no such export. */
export async function fromServer(room: string, token: string | null, format: Format): Promise<string | null> {
  try {
    const text = await new Api(token, await uplinkOf(room)).text(`${historyPath(room)}?format=${format}`);
    // A server that ignores the format answers the history's JSON, which is one object.
    return format !== 'jsonl' && text.startsWith('{') ? null : text;
  } catch (error) {
    if (error instanceof ApiFailure) return null;
    throw error;
  }
}

export function fromPage(messages: readonly Message[], format: 'xml' | 'jsonl'): string {
  return format === 'xml' ? toXml(messages) : toJsonl(messages);
}

export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, '_');
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
