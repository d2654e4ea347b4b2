// Switches with who set them, and the breakers of each process.

import { byId, element } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { type Actions } from './actions.ts';
import { ApiFailure, type Api, instancePath } from '@barrage/ui/api.ts';
import { type AuditLine } from './audit.ts';
import { isSet } from './findings.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { isKey, t, type Key } from './i18n.ts';
import { anUplink, type Overview, processes, type Switch } from './model.ts';
import { Table } from './table.ts';

/** Newest audit lines that are searched for who set a switch. */
const LINES_MAX = 200;
const AUDIT_WRITTEN_MS = 1_500;

interface Breaker {
  process: string;
  breaker: string;
  state: string;
}

export class Switches {
  readonly #switches: Table<Switch>;
  readonly #breakers: Table<Breaker>;
  /** Who set a switch last, by its name; null until the audit log was read. */
  #setBy: Map<string, string> | null = null;
  #known = '';
  #overview: Overview | null = null;

  constructor(
    private readonly api: Api,
    private readonly actions: Actions,
    private readonly changed: () => void,
  ) {
    this.#switches = this.#switchTable();
    this.#breakers = new Table<Breaker>({
      label: 'breakersTable',
      empty: 'breakersEmpty',
      id: (row) => `${row.process} ${row.breaker}`,
      sorted: { column: 0, descending: false },
      columns: [
        { key: 'process', header: true, sort: (row) => row.process, text: (row) => row.process },
        { key: 'breaker', sort: (row) => row.breaker, text: (row) => row.breaker },
        { key: 'state', sort: (row) => row.state, text: breakerState, fill: fillBreaker },
      ],
    });
    byId('switches').append(this.#switches.node);
    byId('breakers').append(this.#breakers.node);
  }

  show(overview: Overview): void {
    this.#overview = overview;
    const values = JSON.stringify(overview.switches.map((one) => one.value));
    if (values !== this.#known) {
      this.#known = values;
      // The line of the change is written a moment after its answer.
      void this.#readSetBy();
      setTimeout(() => void this.#readSetBy(), AUDIT_WRITTEN_MS);
    }
    this.#switches.show(overview.switches);
    this.#breakers.show(processes(overview).flatMap((one) => Object.entries(one.state?.breakers ?? {}).map(([breaker, state]) => ({ process: one.id, breaker, state }))));
  }

  #switchTable(): Table<Switch> {
    return new Table<Switch>({
      label: 'switches',
      empty: 'switchesEmpty',
      id: (row) => row.name,
      sorted: { column: -1, descending: false },
      columns: [
        {
          key: 'name',
          header: true,
          text: (row) => `${row.name} ${meaning(row)}`,
          fill: (cell, row) => cell.append(element('b', '', row.name), element('span', 'meaning', meaning(row))),
        },
        {
          key: 'setBy',
          text: (row) => `${valueText(row.value)} ${this.#setByText(row)}`,
          fill: (cell, row) => {
            const badge = element('span', 'badge', valueText(row.value));
            badge.dataset['level'] = isSet(row.value) ? 'warn' : 'ok';
            cell.append(badge, element('span', 'meaning', this.#setByText(row)));
          },
        },
        {
          key: 'actions',
          text: (row) => row.name,
          fill: (cell, row) => {
            const button = element('button', 'small', t('change'));
            button.type = 'button';
            button.setAttribute('aria-label', t('changeOf', { name: row.name }));
            button.addEventListener('click', () => this.#change(row.name));
            cell.append(button);
          },
        },
      ],
    });
  }

  #setByText({ name, value }: Switch): string {
    const known = this.#setBy?.get(name);
    // The log has lost a line that is too old, and lacks one for a moment after the change.
    return known ?? t(this.#setBy === null || isSet(value) ? 'setByUnknown' : 'setByNobody');
  }

  #change(name: string): void {
    const row = this.#overview?.switches.find((one) => one.name === name);
    if (!row) return;
    const values = typeof row.value === 'boolean' ? [!row.value, row.value] : ['no', 'open', 'closed'];
    this.actions.ask({
      title: t('changeOf', { name }),
      effects: [t('switchEffect', { meaning: isolated(meaning(row)) })],
      danger: false,
      field: { label: t('value'), kind: { choices: values.map((value) => [JSON.stringify(value), valueText(value)]) }, initial: JSON.stringify(values[0]) },
      run: async (value) => {
        const uplink = this.#overview && anUplink(this.#overview);
        if (!uplink) throw new ApiFailure('missing', 'not_found', t('findNoUplink'));
        await this.api.call('PUT', instancePath('uplink', uplink.id, `switches/${name}`), { value: JSON.parse(value) as unknown });
        this.changed();
      },
    });
  }

  /** Reads the newest changes of switches from the audit log. */
  async #readSetBy(): Promise<void> {
    const uplink = this.#overview && anUplink(this.#overview);
    if (!uplink) return;
    try {
      const { lines } = await this.api.get<{ lines: AuditLine[] }>(instancePath('uplink', uplink.id, `audit?action=switch&limit=${LINES_MAX}`));
      const found = new Map<string, string>();
      for (const line of lines) {
        const name = String(line.detail['path'] ?? '').split('/').at(-1) ?? '';
        const isDone = Number(line.detail['status']) < 300;
        if (isDone && !found.has(name)) found.set(name, `${line.actor}, ${dateTime(line.at_ms)}`);
      }
      this.#setBy = found;
      if (this.#overview) this.#switches.show(this.#overview.switches);
    } catch (error) {
      // The table says that it does not know; the poll reports an uplink that is away.
      if (!(error instanceof ApiFailure)) throw error;
    }
  }
}

function meaning(row: Switch): string {
  const key = `sw_${row.name.replaceAll('-', '_')}`;
  return isKey(key) ? t(key) : t('sw_other', { meaning: row.meaning });
}

function valueText(value: boolean | string): string {
  if (typeof value === 'boolean') return t(value ? 'on' : 'off');
  const keys: Record<string, Key> = { no: 'forcedNo', open: 'forcedOpen', closed: 'forcedClosed' };
  const key = keys[value];
  return key ? t(key) : value;
}

function breakerState(row: Breaker): string {
  const key = `breaker_${row.state}`;
  return isKey(key) ? t(key) : row.state;
}

function fillBreaker(cell: HTMLElement, row: Breaker): void {
  const badge = element('span', 'badge', breakerState(row));
  badge.dataset['level'] = row.state === 'closed' ? 'ok' : row.state === 'half_open' ? 'warn' : 'bad';
  cell.append(badge);
}
