// `<barrage-room entry="https://chat.example" room="demo" token="...">`: danmaku over what stands in the element, the
// list and a composer, in a shadow root.

import { join, type Body, type Room } from '@barrage/client';
import { fly } from '@barrage/players';
import { Stage } from '@barrage/stage';
import { Composer } from './composer.ts';
import { make } from './dom.ts';
import { List } from './list.ts';
import { dress } from './sheet.ts';
import { gave, type Language, stateText } from './texts.ts';

/** Absent where modules are evaluated without a page, as by a server that renders. */
const Base = globalThis.HTMLElement ?? (class {} as unknown as typeof HTMLElement);

/** What one join needs to be ended. */
interface Visit {
  room: Room;
  close(): void;
}

export class BarrageRoom extends Base {
  static readonly observedAttributes = ['entry', 'room', 'token', 'lang', 'readonly'];

  /** Returns the token of the user before each connect; instead of the attribute `token`, which is one token. */
  tokenSource: (() => string | null | Promise<string | null>) | null = null;
  #visit: Visit | null = null;
  #isDue = false;

  /** The joined room; null before the element is in the page. */
  get session(): Room | null {
    return this.#visit?.room ?? null;
  }

  connectedCallback(): void {
    this.#renew();
  }

  disconnectedCallback(): void {
    this.#renew();
  }

  attributeChangedCallback(_name: string, before: string | null, after: string | null): void {
    if (before !== after) this.#renew();
  }

  /** Joins once for all changes that a script makes together, also where it moves the element in the page. */
  #renew(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#visit?.close();
      this.#visit = this.isConnected && this.getAttribute('room') ? this.#open() : null;
    });
  }

  #open(): Visit {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    if (root.adoptedStyleSheets.length === 0) dress(root);
    const room = this.#join();
    const language = this.#language();
    const list = new List(language);
    const composer = new Composer(room, language, (words) => list.say(words));
    const status = make('div', 'status');
    status.setAttribute('role', 'status');
    const flight = make('div', 'flight');
    const side = make('div', 'side', status, list.root, list.newer);
    if (!this.hasAttribute('readonly')) side.append(composer.root);
    composer.root.hidden = true;
    root.replaceChildren(make('div', 'room', make('div', 'stage', document.createElement('slot'), flight), side));
    const stage = new Stage(flight);
    fly(room, stage, { sentences: { gave: (gift) => gave(language, gift) } });
    room.on('state', (state) => {
      status.textContent = stateText(language, state);
      composer.root.hidden = !room.canSend;
      this.dispatchEvent(new CustomEvent('barrage:state', { detail: state }));
    });
    room.on('batch', ({ messages }) => {
      for (const { sequence, body } of messages) this.#show(list, body, sequence);
    });
    return {
      room,
      close: () => {
        room.close();
        stage.close();
      },
    };
  }

  #join(): Room {
    const [entry, name] = [this.getAttribute('entry'), this.getAttribute('room') ?? ''];
    const source = this.tokenSource ?? (this.hasAttribute('token') ? () => this.getAttribute('token') : undefined);
    return join({ ...(entry ? { entry } : {}), room: name, ...(source ? { token: source } : {}) });
  }

  #show(list: List, body: Body, sequence: number): void {
    switch (body.type) {
      case 'signal':
        if (body.signal === 'recall' && body.sequence !== undefined) list.recall(body.sequence);
        if (body.signal === 'purge' && typeof body.user === 'string') list.purge(body.user);
        if (body.signal === 'clear') list.purge(null);
        if (body.signal === 'announcement' && typeof body.text === 'string') list.say(body.text);
        return;
      case 'event':
        this.dispatchEvent(new CustomEvent('barrage:event', { detail: { ...body, sequence } }));
        return;
      default:
        list.add(body, sequence, body.user === this.session?.user);
    }
  }

  #language(): Language {
    const language = this.getAttribute('lang') || document.documentElement.lang || navigator.language;
    return language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
  }
}
