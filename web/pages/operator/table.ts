// A table with sorting and a filter. Rows are kept by their key, and a cell changes only when its
// text does, so that the focus stays where it is while figures arrive.

import { element } from '@barrage/ui/dom.ts';
import { inLanguage } from '@barrage/ui/language.ts';
import { say, t, type Key } from './i18n.ts';

export interface Column<Row> {
  key: Key;
  /** Value to sort by; a column without one cannot be sorted. */
  sort?: (row: Row) => number | string;
  numeric?: boolean;
  /** Text of a cell. A cell with `fill` uses it to find out whether it changed. */
  text: (row: Row) => string;
  /** Builds the content of a cell whose text changed. */
  fill?: (cell: HTMLElement, row: Row) => void;
  /** Updates what is not in the text, at each refresh. */
  refresh?: (cell: HTMLElement, row: Row) => void;
  /** The cell is the header of its row. */
  header?: boolean;
}

export interface TableOptions<Row> {
  label: Key;
  empty: Key;
  columns: Column<Row>[];
  id: (row: Row) => string;
  /** Column by which the table is sorted at first, and the direction. */
  sorted: { column: number; descending: boolean };
  /** Rows shown at most; further ones are counted. */
  rowsMax?: number;
}

export class Table<Row> {
  readonly node: HTMLElement;
  readonly filter: HTMLInputElement;
  readonly #body = document.createElement('tbody');
  readonly #heads: HTMLElement[] = [];
  readonly #rows = new Map<string, HTMLTableRowElement>();
  readonly #note = element('p', 'note');
  #data: Row[] = [];
  #loaded = false;
  #column: number;
  #descending: boolean;

  constructor(private readonly options: TableOptions<Row>) {
    this.#column = options.sorted.column;
    this.#descending = options.sorted.descending;
    const table = element('table', '');
    const row = element('tr', '');
    options.columns.forEach((column, index) => row.append(this.#head(column, index)));
    table.append(element('thead', '', row), this.#body);
    const scroll = element('div', 'scroll', table);
    scroll.tabIndex = 0;
    scroll.setAttribute('role', 'group');
    this.filter = element('input', 'filter');
    this.filter.type = 'search';
    this.filter.addEventListener('input', () => this.#render());
    inLanguage(() => {
      const label = t(options.label);
      table.setAttribute('aria-label', label);
      scroll.setAttribute('aria-label', label);
      this.filter.placeholder = t('filter');
      this.filter.setAttribute('aria-label', t('filterOf', { what: label }));
      for (const made of this.#rows.values()) made.remove();
      this.#rows.clear();
      this.#render();
    });
    this.node = element('div', 'table', scroll, this.#note);
  }

  show(rows: Row[]): void {
    this.#data = rows;
    this.#loaded = true;
    this.#render();
  }

  #head(column: Column<Row>, index: number): HTMLElement {
    const head = element('th', column.numeric ? 'numeric' : '');
    head.scope = 'col';
    this.#heads.push(head);
    const label = element('span', '');
    say(label, column.key);
    if (!column.sort) {
      head.append(label);
      return head;
    }
    const button = element('button', 'sort', label, element('i', 'arrow'));
    button.type = 'button';
    button.addEventListener('click', () => {
      this.#descending = this.#column === index ? !this.#descending : column.numeric === true;
      this.#column = index;
      this.#render();
    });
    head.append(button);
    return head;
  }

  #render(): void {
    const { columns, id, rowsMax } = this.options;
    this.#heads.forEach((head, index) => {
      if (!columns[index]?.sort) return;
      if (index === this.#column) head.setAttribute('aria-sort', this.#descending ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    const wanted = this.filter.value.trim().toLowerCase();
    const matching = this.#data.filter((row) => !wanted || columns.some((column) => column.text(row).toLowerCase().includes(wanted)));
    const shown = this.#sorted(matching).slice(0, rowsMax ?? Infinity);
    const keys = new Set(shown.map(id));
    const focused = document.activeElement;
    for (const [key, made] of this.#rows) {
      if (keys.has(key)) continue;
      made.remove();
      this.#rows.delete(key);
    }
    shown.forEach((row, index) => this.#place(this.#row(row), index));
    // An element that is moved loses the focus.
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#body.contains(focused)) focused.focus({ preventScroll: true });
    this.#tellCount(matching.length, shown.length);
  }

  /** Moves a row only when it is at another place. */
  #place(made: HTMLTableRowElement, index: number): void {
    const at = this.#body.children[index];
    if (at !== made) this.#body.insertBefore(made, at ?? null);
  }

  #row(row: Row): HTMLTableRowElement {
    const key = this.options.id(row);
    let made = this.#rows.get(key);
    if (!made) {
      made = element('tr', '');
      for (const column of this.options.columns) {
        const cell = element(column.header ? 'th' : 'td', column.numeric ? 'numeric' : '');
        if (column.header) (cell as HTMLTableCellElement).scope = 'row';
        made.append(cell);
      }
      this.#rows.set(key, made);
    }
    this.options.columns.forEach((column, index) => {
      const cell = made.children[index] as HTMLElement;
      const text = column.text(row);
      if (cell.dataset['text'] !== text) {
        cell.dataset['text'] = text;
        if (column.fill) {
          cell.replaceChildren();
          column.fill(cell, row);
        } else cell.textContent = text;
      }
      column.refresh?.(cell, row);
    });
    return made;
  }

  #sorted(rows: Row[]): Row[] {
    const sort = this.options.columns[this.#column]?.sort;
    if (!sort) return rows;
    const direction = this.#descending ? -1 : 1;
    const compare = (a: number | string, b: number | string) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true }));
    return [...rows].sort((a, b) => direction * compare(sort(a), sort(b)) || compare(this.options.id(a), this.options.id(b)));
  }

  #tellCount(matching: number, shown: number): void {
    this.#note.hidden = shown > 0 && shown === matching;
    if (!this.#loaded) this.#note.textContent = t('loading');
    else if (this.#data.length === 0) this.#note.textContent = t(this.options.empty);
    else if (matching === 0) this.#note.textContent = t('noMatch');
    else if (shown < matching) this.#note.textContent = t('moreRows', { count: matching - shown });
  }
}

/** Creates a thin bar; `setBar` sets its share. */
export function bar(): HTMLElement {
  const made = element('span', 'bar', element('i', ''));
  made.setAttribute('aria-hidden', 'true');
  return made;
}

export function setBar(node: Element | null, share: number, level: string): void {
  const fill = node?.firstElementChild as HTMLElement | null;
  fill?.style.setProperty('width', `${Math.round(100 * Math.min(Math.max(share, 0), 1))}%`);
  if (node instanceof HTMLElement) node.dataset['level'] = level;
}
