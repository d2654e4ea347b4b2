// "Where is my message?": the checks of a message, and the gateways that it reached.

import { byId, element } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { ApiFailure, type Api } from '@barrage/ui/api.ts';
import { clock, dateTime, number } from '@barrage/ui/format.ts';
import { isKey, t } from './i18n.ts';

interface Post {
  at_ms: number;
  room: string;
  user: string;
  class: string;
  outcome: string;
  sequence?: number;
  steps: { check: string; word: string; detail?: string }[];
}

interface FanOut {
  gateway: string;
  fan_out: { at_ms: number; batch_messages: number; thinned: boolean; heat: string; overload: string; viewers: number; written: number; queued: number; gone: number };
}

interface Report {
  posts: { uplink: string; post: Post; fan_outs: FanOut[] }[];
  uplinks_asked: number;
  gateways_asked: number;
  not_asked: { role: string; id: string; why: string }[];
}

export class Message {
  readonly #result = byId('message-result');

  constructor(
    private readonly api: Api,
    private readonly signedOut: () => void,
  ) {
    byId<HTMLFormElement>('message-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const id = byId<HTMLInputElement>('message-id').value.trim();
      if (id) void this.#find(id);
    });
  }

  async #find(id: string): Promise<void> {
    this.#result.replaceChildren(element('p', 'note', t('loading')));
    try {
      this.#show(await this.api.get<Report>(`/v1/admin/messages/${encodeURIComponent(id)}`));
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === 'unauthorized') return this.signedOut();
      this.#result.replaceChildren(element('p', 'problem', error.message));
    }
  }

  #show(report: Report): void {
    const nodes: Node[] = report.posts.map((found) => postNode(found, report.gateways_asked));
    if (report.posts.length === 0) nodes.push(element('p', 'note', t('messageNone', { count: report.uplinks_asked })));
    for (const one of report.not_asked) nodes.push(element('p', 'problem', t('findNotAsked', { instance: `${one.role} ${isolated(one.id)}`, why: one.why })));
    this.#result.replaceChildren(...nodes);
  }
}

function postNode({ uplink, post, fan_outs: fanOuts }: Report['posts'][number], gatewaysAsked: number): Node {
  const head = t('messageHead', { class: post.class, user: isolated(post.user), room: isolated(post.room), time: dateTime(post.at_ms), uplink: isolated(uplink) });
  const end = post.sequence === undefined ? t('messageEnd', { outcome: post.outcome }) : t('messageAt', { outcome: post.outcome, sequence: post.sequence });
  const made = element('article', 'post', element('h3', '', head), steps(post), element('p', 'outcome', end));
  if (post.sequence === undefined) return made;
  if (fanOuts.length === 0) made.append(element('p', 'note', t('messageNowhere', { count: gatewaysAsked })));
  else made.append(element('ul', 'fan-outs', ...fanOuts.map((one) => element('li', '', fanOutText(one)))));
  return made;
}

function steps(post: Post): Node {
  const row = (tag: 'th' | 'td', texts: string[]) => element('tr', '', ...texts.map((text) => element(tag, '', text)));
  const body = post.steps.map((step) => {
    const key = `word_${step.word}`;
    const made = row('td', [step.check, isKey(key) ? t(key) : step.word, step.detail ?? '']);
    made.dataset['word'] = step.word;
    return made;
  });
  const heads = row('th', [t('check'), t('result'), t('detail')]);
  for (const head of heads.children) (head as HTMLTableCellElement).scope = 'col';
  const table = element('table', 'steps', element('thead', '', heads), element('tbody', '', ...body));
  const scroll = element('div', 'scroll', table);
  scroll.tabIndex = 0;
  scroll.setAttribute('role', 'group');
  scroll.setAttribute('aria-label', t('check'));
  return scroll;
}

function fanOutText({ gateway, fan_out: one }: FanOut): string {
  const time = clock(one.at_ms);
  if (one.thinned) return t('messageThinned', { gateway: isolated(gateway), time });
  return t('messageBatch', {
    gateway: isolated(gateway),
    time,
    count: number(one.batch_messages),
    viewers: number(one.viewers),
    written: number(one.written),
    queued: number(one.queued),
    gone: number(one.gone),
    heat: one.heat,
    level: one.overload,
  });
}
