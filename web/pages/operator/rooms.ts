// The hottest rooms of the fleet.

import { byId, element } from '@barrage/ui/dom.ts';
import { number, rate } from '@barrage/ui/format.ts';
import { isKey, t } from './i18n.ts';
import { type Overview, type Room } from './model.ts';
import { bar, setBar, Table } from './table.ts';

const HEATS = ['', 'idle', 'warm', 'hot', 'celebrity'];
/** Rooms shown; the filter searches all of the answer. */
const ROWS_MAX = 30;

export class Rooms {
  readonly #table: Table<Room>;
  readonly #note = byId('rooms-note');
  #most = 1;

  constructor(tail: (room: string) => void) {
    this.#table = new Table<Room>({
      label: 'rooms',
      empty: 'roomsEmpty',
      id: (row) => row.room,
      sorted: { column: 1, descending: true },
      rowsMax: ROWS_MAX,
      columns: [
        { key: 'room', header: true, sort: (row) => row.room, text: (row) => row.room },
        {
          key: 'heat',
          // Rooms of one heat are in the order of their viewers.
          sort: (row) => HEATS.indexOf(row.heat) * 1e12 + row.viewers,
          numeric: true,
          text: (row) => heat(row),
          fill: (cell, row) => {
            const badge = element('span', 'badge heat', heat(row));
            badge.dataset['heat'] = row.heat;
            cell.append(badge);
          },
        },
        {
          key: 'viewers',
          numeric: true,
          sort: (row) => row.viewers,
          text: (row) => number(row.viewers),
          fill: (cell, row) => cell.append(number(row.viewers), bar()),
          refresh: (cell, row) => setBar(cell.querySelector('.bar'), row.viewers / this.#most, 'ok'),
        },
        { key: 'offered', numeric: true, sort: (row) => row.offered_per_s, text: (row) => rate(row.offered_per_s) },
        { key: 'shown', numeric: true, sort: (row) => row.shown_per_s, text: (row) => rate(row.shown_per_s) },
        { key: 'deliveriesColumn', numeric: true, sort: (row) => row.deliveries_per_s, text: (row) => rate(row.deliveries_per_s) },
        { key: 'gateways', numeric: true, sort: (row) => row.gateways, text: (row) => number(row.gateways) },
        {
          key: 'actions',
          text: (row) => row.room,
          fill: (cell, row) => {
            const button = element('button', 'small', t('tail'));
            button.type = 'button';
            button.setAttribute('aria-label', t('tailOf', { room: row.room }));
            button.addEventListener('click', () => tail(row.room));
            cell.append(button);
          },
        },
      ],
    });
    byId('rooms').append(this.#table.filter, this.#table.node, this.#note);
  }

  show(overview: Overview): void {
    this.#most = Math.max(1, ...overview.rooms.map((room) => room.viewers));
    this.#table.show(overview.rooms);
    this.#note.textContent = t('roomsNote', { count: number(overview.rooms_total) });
  }
}

function heat(row: Room): string {
  const key = `heat_${row.heat}`;
  return isKey(key) ? t(key) : row.heat;
}
