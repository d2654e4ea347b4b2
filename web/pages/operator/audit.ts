// The audit log with its filters, a page at a time.

import { byId, element } from '@barrage/ui/dom.ts';
import { ApiFailure, type Api, instancePath } from '@barrage/ui/api.ts';
import { dateTime } from '@barrage/ui/format.ts';
import { t } from './i18n.ts';
import { anUplink, type Overview } from './model.ts';
import { Table } from './table.ts';

const PAGE = 50;
/** Lines kept on the page; older pages replace nothing beyond it. */
const LINES_MAX = 500;
const FILTERS = ['room', 'actor', 'action', 'user'] as const;

export interface AuditLine {
  id: number;
  at_ms: number;
  room: string | null;
  user: string | null;
  actor: string;
  action: string;
  detail: Record<string, unknown>;
}

export class Audit {
  readonly #table: Table<AuditLine>;
  readonly #older = byId<HTMLButtonElement>('audit-older');
  readonly #problem = byId('audit-problem');
  #lines: AuditLine[] = [];
  #before: number | null = null;
  #overview: Overview | null = null;

  constructor(
    private readonly api: Api,
    private readonly signedOut: () => void,
  ) {
    this.#table = new Table<AuditLine>({
      label: 'audit',
      empty: 'auditEmpty',
      id: (row) => String(row.id),
      sorted: { column: -1, descending: true },
      columns: [
        { key: 'when', text: (row) => dateTime(row.at_ms) },
        { key: 'auditActor', header: true, text: (row) => row.actor },
        { key: 'auditAction', text: (row) => row.action },
        { key: 'auditRoom', text: (row) => row.room ?? '' },
        { key: 'auditUser', text: (row) => row.user ?? '' },
        { key: 'detail', text: detail, fill: (cell, row) => cell.append(element('code', '', detail(row))) },
      ],
    });
    byId('audit-table').append(this.#table.node);
    byId<HTMLFormElement>('audit-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#read(null);
    });
    this.#older.addEventListener('click', () => void this.#read(this.#before));
  }

  /** Reads the first page when the first overview has arrived. */
  show(overview: Overview): void {
    const isFirst = this.#overview === null;
    this.#overview = overview;
    if (isFirst) void this.#read(null);
  }

  /** Reads the newest page again, after an action. */
  refresh(): void {
    void this.#read(null);
  }

  async #read(before: number | null): Promise<void> {
    const uplink = this.#overview && anUplink(this.#overview);
    if (!uplink) return this.#say(t('findNoUplink'));
    const query = new URLSearchParams({ limit: String(PAGE) });
    for (const name of FILTERS) {
      const value = byId<HTMLInputElement>(`audit-${name}`).value.trim();
      if (value) query.set(name, value);
    }
    if (before !== null) query.set('before', String(before));
    try {
      const page = await this.api.get<{ lines: AuditLine[]; next_before: number | null }>(instancePath('uplink', uplink.id, `audit?${query}`));
      this.#lines = (before === null ? page.lines : [...this.#lines, ...page.lines]).slice(0, LINES_MAX);
      this.#before = this.#lines.length < LINES_MAX ? page.next_before : null;
      this.#older.hidden = this.#before === null;
      this.#table.show(this.#lines);
      this.#say('');
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === 'unauthorized') return this.signedOut();
      this.#say(error.message);
    }
  }

  #say(problem: string): void {
    this.#problem.textContent = problem;
    this.#problem.hidden = problem === '';
  }
}

/** Returns what a line did in one line: its path, status and body, or all of another detail. */
function detail(row: AuditLine): string {
  const { method, path, status, body, ...rest } = row.detail;
  if (typeof path !== 'string') return JSON.stringify(row.detail);
  const others = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : '';
  return `${String(method)} ${path} → ${String(status)}${body === undefined ? '' : ` ${JSON.stringify(body)}`}${others}`;
}
