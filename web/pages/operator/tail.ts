// Live tail of one room: its messages as server-sent events, read with fetch, because EventSource
// cannot send the token in a header.

import { byId, element } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { ApiFailure, type Api } from '@barrage/ui/api.ts';
import { clock } from '@barrage/ui/format.ts';
import { say, t, type Key } from './i18n.ts';
import { type Overview } from './model.ts';

const TAIL_SECS = 600;
/** Rows that the list keeps. */
const ROWS_MAX = 200;
/** Distance from the end of the list, in pixels, within which it follows new rows. */
const FOLLOW_PX = 40;

interface TailMessage {
  sequence: number;
  at_ms: number;
  class: string;
  sender: string | null;
  id: string | null;
  body: Record<string, unknown> | null;
}

export class Tail {
  readonly #room = byId<HTMLInputElement>('tail-room');
  readonly #list = byId('tail-list');
  readonly #status = byId('tail-status');
  readonly #stop = byId<HTMLButtonElement>('tail-stop');
  #abort: AbortController | null = null;
  #count = 0;

  constructor(
    private readonly api: Api,
    private readonly signedOut: () => void,
  ) {
    byId<HTMLFormElement>('tail-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const room = this.#room.value.trim();
      if (room) void this.start(room);
    });
    this.#stop.addEventListener('click', () => this.stop());
    this.#tell('tailIdle');
  }

  /** Offers the known rooms in the field. */
  show(overview: Overview): void {
    const names = overview.rooms.map((room) => room.room);
    const list = byId('tail-rooms');
    if (list.dataset['rooms'] === names.join()) return;
    list.dataset['rooms'] = names.join();
    list.replaceChildren(...names.map((name) => new Option(name, name)));
  }

  stop(): void {
    this.#abort?.abort();
  }

  async start(room: string): Promise<void> {
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    this.#room.value = room;
    this.#count = 0;
    this.#list.replaceChildren();
    this.#stop.hidden = false;
    try {
      const stream = await this.api.stream(`/v1/admin/rooms/${encodeURIComponent(room)}/tail?secs=${TAIL_SECS}`, abort.signal);
      this.#tell('tailLive', { room: isolated(room), count: 0 });
      for await (const { event, data } of events(stream)) {
        if (event === 'message') this.#message(JSON.parse(data) as TailMessage, room);
        else if (event === 'skipped') this.#row(element('span', 'note', t('tailSkipped', { count: (JSON.parse(data) as { count: number }).count })));
      }
      this.#tell('tailOver', { count: this.#count });
    } catch (error) {
      if (abort.signal.aborted) return this.#tell('tailOver', { count: this.#count });
      if (error instanceof ApiFailure && error.kind === 'unauthorized') return this.signedOut();
      this.#tell('tailFailed', { message: error instanceof Error ? error.message : String(error) });
    } finally {
      if (this.#abort === abort) this.#stop.hidden = true;
    }
  }

  #message(message: TailMessage, room: string): void {
    this.#count += 1;
    this.#tell('tailLive', { room: isolated(room), count: this.#count });
    const kind = element('span', 'badge', message.class);
    kind.dataset['class'] = message.class;
    this.#row(
      element('time', '', clock(message.at_ms)),
      element('span', 'sequence', String(message.sequence)),
      kind,
      element('b', '', isolated(message.sender ?? '–')),
      element('span', 'words', isolated(words(message.body))),
    );
  }

  #row(...nodes: Node[]): void {
    const follows = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < FOLLOW_PX;
    this.#list.append(element('li', '', ...nodes));
    while (this.#list.childElementCount > ROWS_MAX) this.#list.firstElementChild?.remove();
    if (follows) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #tell(key: Key, values: Record<string, string | number> = {}): void {
    say(this.#status, key, values);
  }
}

/** Returns the text of a body, or the gift or signal that it names, or the whole body. */
function words(body: TailMessage['body']): string {
  if (!body) return '';
  const gift = body['gift'] as { name?: unknown; count?: unknown } | undefined;
  if (gift) return `${String(gift.name)} ×${String(gift.count)}`;
  if (typeof body['text'] === 'string') return body['text'];
  return typeof body['signal'] === 'string' ? body['signal'] : JSON.stringify(body);
}

/** Parses server-sent events: each has one data line, and comments have none. */
async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<{ event: string; data: string }> {
  const reader = stream.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
  let waiting = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (waiting + value).split('\n\n');
    waiting = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [event, data] = [field('event'), field('data')];
      if (event && data !== undefined) yield { event, data };
    }
  }
}
