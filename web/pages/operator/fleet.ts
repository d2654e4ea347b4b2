// The fleet: gateways with their load and actions, and the other processes.

import { byId, element } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { type Actions } from './actions.ts';
import { type Api, instancePath } from '@barrage/ui/api.ts';
import { bytes, duration, milliseconds, number, percent, rate } from '@barrage/ui/format.ts';
import { t, type Key } from './i18n.ts';
import { fullness, type Instance, ofRole, type Overview } from './model.ts';
import { drawSpark, type Rings, spark } from './rings.ts';
import { bar, setBar, Table } from './table.ts';

/** Share of places from which the bar of a gateway warns. */
const FULL_WARN = 0.9;
const DRAIN_SECS = 30;
const GIVE_BACK_PERCENT = 20;

export class Fleet {
  readonly #gateways: Table<Instance>;
  readonly #services: Table<Instance>;
  #overview: Overview | null = null;
  /** Sum of all weights: a gateway gets its share of them of all newcomers. */
  #weights = 1;

  constructor(
    private readonly api: Api,
    private readonly actions: Actions,
    private readonly rings: Rings,
    private readonly changed: () => void,
  ) {
    this.#gateways = this.#gatewayTable();
    this.#services = serviceTable();
    byId('gateways').append(this.#gateways.filter, this.#gateways.node);
    byId('services').append(this.#services.filter, this.#services.node);
  }

  show(overview: Overview): void {
    this.#overview = overview;
    const gateways = ofRole(overview, 'gateway');
    this.#weights = gateways.reduce((sum, one) => sum + (one.weight ?? 0), 0) || 1;
    for (const one of gateways) this.rings.add(`gateway ${one.id}`, one.load.connections);
    this.#gateways.show(gateways);
    this.#services.show(overview.instances.filter((one) => one.role !== 'gateway'));
  }

  #gatewayTable(): Table<Instance> {
    return new Table<Instance>({
      label: 'gateways',
      empty: 'gatewaysEmpty',
      id: (row) => row.id,
      sorted: { column: 0, descending: false },
      columns: [
        { key: 'id', header: true, sort: (row) => row.id, text: (row) => row.id },
        { key: 'state', sort: (row) => stateKey(row), text: (row) => t(stateKey(row)), fill: fillState },
        {
          key: 'viewers',
          numeric: true,
          sort: (row) => row.load.connections,
          text: () => '',
          fill: (cell) => cell.append(spark(), element('span', 'value')),
          refresh: (cell, row) => {
            const figure = cell.querySelector('.value');
            if (!figure) cell.append(spark(), element('span', 'value'));
            (cell.querySelector('.value') as HTMLElement).textContent = number(row.load.connections);
            drawSpark(cell.querySelector('.spark') as SVGElement, this.rings.get(`gateway ${row.id}`));
          },
        },
        {
          key: 'full',
          numeric: true,
          sort: fullness,
          text: (row) => percent(fullness(row)),
          fill: (cell, row) => cell.append(percent(fullness(row)), bar()),
          refresh: (cell, row) => setBar(cell.querySelector('.bar'), fullness(row), fullness(row) >= FULL_WARN ? 'warn' : 'ok'),
        },
        {
          key: 'weight',
          numeric: true,
          sort: (row) => row.weight ?? -1,
          text: (row) => (row.weight === undefined ? '–' : percent(row.weight / this.#weights)),
        },
        { key: 'level', numeric: true, sort: (row) => row.load.overload_level, text: (row) => number(row.load.overload_level), refresh: (cell, row) => mark(cell, row.load.overload_level > 0) },
        { key: 'pushColumn', numeric: true, sort: (row) => row.load.push_p99_ms, text: (row) => milliseconds(row.load.push_p99_ms) },
        { key: 'lag', numeric: true, sort: (row) => row.load.lag_ms, text: (row) => milliseconds(row.load.lag_ms) },
        { key: 'joinsColumn', numeric: true, sort: (row) => row.load.joins_per_s, text: (row) => rate(row.load.joins_per_s) },
        { key: 'deliveriesColumn', numeric: true, sort: (row) => row.load.deliveries_per_s, text: (row) => rate(row.load.deliveries_per_s) },
        { key: 'egressColumn', numeric: true, sort: (row) => row.load.egress_bytes_per_s, text: (row) => `${bytes(row.load.egress_bytes_per_s)}/s` },
        { key: 'cpu', numeric: true, sort: (row) => row.load.cpu_cores, text: (row) => number(row.load.cpu_cores, 2) },
        { key: 'memory', numeric: true, sort: (row) => row.load.memory_bytes, text: (row) => bytes(row.load.memory_bytes) },
        { key: 'actions', text: (row) => (row.draining ? 'draining' : 'open'), fill: (cell, row) => this.#fillActions(cell, row) },
      ],
    });
  }

  #fillActions(cell: HTMLElement, row: Instance): void {
    const button = (key: Key, label: Key, action: () => void) => {
      const made = element('button', 'small', t(key));
      made.type = 'button';
      made.setAttribute('aria-label', t(label, { gateway: row.id }));
      made.addEventListener('click', action);
      return made;
    };
    if (row.draining) cell.append(button('cancelDrain', 'cancelDrainOf', () => this.#cancelDrain(row.id)));
    else cell.append(button('drain', 'drainOf', () => this.#drain(row.id)), button('giveBack', 'giveBackOf', () => this.#giveBack(row.id)));
  }

  #drain(gateway: string): void {
    const gateways = this.#overview ? ofRole(this.#overview, 'gateway') : [];
    const viewers = gateways.find((one) => one.id === gateway)?.load.connections ?? 0;
    const isLast = !gateways.some((one) => one.id !== gateway && !one.draining);
    const effects = [t('drainEffect', { gateway: isolated(gateway), viewers: number(viewers) })];
    if (isLast) effects.push(t('drainEffectLast'));
    this.actions.ask({
      title: t('drainOf', { gateway }),
      effects,
      danger: isLast,
      field: { label: t('withinSecs'), kind: { min: 1, max: 3_600, optional: true }, initial: String(DRAIN_SECS) },
      run: (secs) => this.#call('POST', gateway, 'drain', secs === '' ? {} : { within_secs: Number(secs) }),
    });
  }

  #cancelDrain(gateway: string): void {
    this.actions.ask({
      title: t('cancelDrainOf', { gateway }),
      effects: [t('cancelDrainEffect', { gateway: isolated(gateway) })],
      danger: false,
      run: () => this.#call('DELETE', gateway, 'drain'),
    });
  }

  #giveBack(gateway: string): void {
    this.actions.ask({
      title: t('giveBackOf', { gateway }),
      effects: [t('giveBackEffect', { gateway: isolated(gateway) })],
      danger: false,
      field: { label: t('share'), kind: { min: 1, max: 100, optional: false }, initial: String(GIVE_BACK_PERCENT) },
      run: (percents) => this.#call('POST', gateway, 'give-back', { share: Number(percents) / 100 }),
    });
  }

  async #call(method: string, gateway: string, call: string, body?: unknown): Promise<void> {
    await this.api.call(method, instancePath('gateway', gateway, call), body);
    this.changed();
  }
}

function serviceTable(): Table<Instance> {
  return new Table<Instance>({
    label: 'services',
    empty: 'servicesEmpty',
    id: (row) => `${row.role} ${row.id}`,
    sorted: { column: 1, descending: false },
    columns: [
      { key: 'id', header: true, sort: (row) => row.id, text: (row) => row.id },
      { key: 'role', sort: (row) => row.role, text: (row) => row.role },
      { key: 'state', sort: (row) => stateKey(row), text: (row) => t(stateKey(row)), fill: fillState },
      { key: 'errors', numeric: true, sort: (row) => row.conservation_error, text: (row) => number(row.conservation_error), refresh: (cell, row) => mark(cell, row.conservation_error > 0) },
      { key: 'age', numeric: true, sort: (row) => row.age_secs, text: (row) => duration(row.age_secs) },
      { key: 'version', sort: (row) => row.state?.version ?? '', text: (row) => row.state?.version ?? '–' },
    ],
  });
}

function stateKey(row: Instance): Key {
  if (row.draining) return 'stateDraining';
  if (row.role === 'autoscaler') return 'stateReporting';
  if (!row.state) return 'stateSilent';
  return row.state.not_ready ? 'stateNotReady' : 'stateReady';
}

function fillState(cell: HTMLElement, row: Instance): void {
  const key = stateKey(row);
  const badge = element('span', 'badge', t(key));
  badge.dataset['level'] = key === 'stateReady' || key === 'stateReporting' ? 'ok' : key === 'stateDraining' ? 'warn' : 'bad';
  cell.append(badge);
}

function mark(cell: HTMLElement, isBad: boolean): void {
  if (isBad) cell.dataset['level'] = 'bad';
  else delete cell.dataset['level'];
}
