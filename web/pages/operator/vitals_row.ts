// The first row: figures that answer whether viewers are well, and the findings below them.

import { byId, element, icon } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { findings, pushLevel, type Finding, type Level } from './findings.ts';
import { bytes, milliseconds, number, rate } from '@barrage/ui/format.ts';
import { say, t, type Key } from './i18n.ts';
import { type Overview, type Vitals } from './model.ts';
import { drawSpark, type Rings, spark } from './rings.ts';

interface Tile {
  node: HTMLElement;
  mark: HTMLElement;
  figure: HTMLElement;
  more: HTMLElement;
  line: SVGElement;
}

const TILES: [name: string, title: Key][] = [
  ['viewers', 'viewers'],
  ['push', 'pushP99'],
  ['refused', 'refused'],
  ['conservation', 'conservation'],
  ['breakers', 'breakers'],
  ['deliveries', 'deliveries'],
];
const ICONS: Record<Level, string> = { ok: 'ok', warn: 'warn', bad: 'bad' };
const WORDS: Record<Level, Key> = { ok: 'levelOk', warn: 'levelWarn', bad: 'levelBad' };

export class VitalsRow {
  readonly #tiles = new Map<string, Tile>();
  readonly #verdict = byId('verdict');
  readonly #findings = byId('findings');
  #told = '';

  constructor(private readonly rings: Rings) {
    const row = byId('tiles');
    for (const [name, title] of TILES) {
      const tile = makeTile(name, title);
      this.#tiles.set(name, tile);
      row.append(tile.node);
    }
  }

  show(overview: Overview, vitals: Vitals): void {
    const { viewers, pushP99Ms, refusedPerS, conservationError, breakersOpen, breakersTotal, deliveriesPerS } = vitals;
    this.#tile('viewers', viewers, number(viewers), t('joins', { rate: rate(vitals.joinsPerS) }), 'ok');
    const slowest = pushP99Ms > 0 ? t('slowest', { gateway: isolated(vitals.slowest ?? '') }) : t('nothingSent');
    this.#tile('push', pushP99Ms, pushP99Ms > 0 ? milliseconds(pushP99Ms) : '–', slowest, pushLevel(pushP99Ms));
    const waits = vitals.waiting > 0 || (refusedPerS ?? 0) > 0;
    this.#tile('refused', refusedPerS ?? 0, refusedPerS === null ? '–' : rate(refusedPerS), t('waiting', { count: number(vitals.waiting) }), waits ? 'warn' : 'ok');
    this.#tile('conservation', conservationError, number(conservationError), t(conservationError > 0 ? 'conservedNot' : 'conserved'), conservationError > 0 ? 'bad' : 'ok');
    const breakers = breakersTotal === 0 ? t('breakersNone') : t('breakersClosed', { count: breakersTotal });
    this.#tile('breakers', breakersOpen.length, number(breakersOpen.length), breakersOpen.length > 0 ? breakersOpen.join(', ') : breakers, breakersOpen.length > 0 ? 'bad' : 'ok');
    this.#tile('deliveries', deliveriesPerS, rate(deliveriesPerS), t('egress', { rate: `${bytes(vitals.egressBytesPerS)}/s` }), 'ok');
    this.#tell(findings(overview, vitals));
  }

  #tile(name: string, value: number, figure: string, more: string, level: Level): void {
    const tile = this.#tiles.get(name);
    if (!tile) return;
    this.rings.add(`tile ${name}`, value);
    tile.node.dataset['level'] = level;
    tile.figure.textContent = figure;
    tile.more.textContent = more;
    tile.more.title = more;
    if (tile.mark.dataset['level'] !== level) {
      tile.mark.dataset['level'] = level;
      tile.mark.replaceChildren(icon(ICONS[level]), element('span', ''));
    }
    (tile.mark.lastElementChild as HTMLElement).textContent = t(WORDS[level]);
    drawSpark(tile.line, this.rings.get(`tile ${name}`));
  }

  /** Writes the verdict and the findings, only when they changed: screen readers read them aloud. */
  #tell(found: Finding[]): void {
    const worst: Level = found[0]?.level ?? 'ok';
    const bad = found.filter((one) => one.level === 'bad').length;
    const verdict = worst === 'bad' ? t('problems', { count: bad }) : worst === 'warn' ? t('warnings', { count: found.length }) : t('allWell');
    const texts = found.map((one) => t(one.key, isolatedValues(one.values)));
    const told = JSON.stringify([verdict, texts]);
    if (told === this.#told) return;
    this.#told = told;
    this.#verdict.replaceChildren(icon(ICONS[worst]), element('span', '', verdict));
    this.#verdict.dataset['level'] = worst;
    this.#findings.replaceChildren(
      ...found.map((one, index) => {
        const row = element('li', '', icon(ICONS[one.level]), element('b', 'hidden', t(WORDS[one.level])), element('span', '', texts[index] ?? ''));
        row.dataset['level'] = one.level;
        return row;
      }),
    );
  }
}

function isolatedValues(values: Finding['values']): Finding['values'] {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? isolated(value) : value]));
}

function makeTile(name: string, title: Key): Tile {
  const [mark, figure, more, line] = [element('span', 'mark'), element('strong', 'figure', '–'), element('span', 'more'), spark()];
  const head = element('h3', '');
  say(head, title);
  const node = element('li', 'tile', element('div', 'tile-head', head, mark), figure, more);
  node.append(line);
  node.dataset['tile'] = name;
  return { node, mark, figure, more, line };
}
