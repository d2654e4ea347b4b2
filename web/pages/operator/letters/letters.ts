// Reports of letters, and the inbox of one user: export and erase. The routes are those of uplinks: the console
// reaches them at the admin listener that serves it.

import { byId, element } from '@barrage/ui/dom.ts';
import { type Api, ApiFailure } from '@barrage/ui/api.ts';
import { dateTime, number } from '@barrage/ui/format.ts';
import { inLanguage, isolated } from '@barrage/ui/language.ts';
import { type Actions } from '../actions.ts';
import { t } from '../i18n.ts';
import { Table } from '../table.ts';
import { takeCensus, type Census } from './census.ts';
import { evidenceOf } from './evidence.ts';
import { type Report } from './report.ts';

const PAGE = 50;
/** Reports that the page keeps; the filter by state finds others. */
const REPORTS_MAX = 500;
const NOTE_CHARS_MAX = 500;
/** Longest time for the count before an erase, and for a call of it. */
const CENSUS_MS = 20_000;
/** Calls of an erase: each takes 50,000 items at most. */
const ERASES_MAX = 100;

export class Letters {
  readonly #table: Table<Report>;
  readonly #problem = byId('letters-problem');
  readonly #older = byId<HTMLButtonElement>('reports-older');
  readonly #evidence = byId('report-evidence');
  #reports: Report[] = [];
  #before: number | null = null;
  #shown: Report | null = null;

  constructor(
    private readonly api: Api,
    private readonly actions: Actions,
    private readonly signedOut: () => void,
    private readonly changed: () => void,
  ) {
    this.#table = new Table<Report>({
      label: 'letterReports',
      empty: 'reportsEmpty',
      id: (row) => String(row.id),
      sorted: { column: -1, descending: true },
      columns: [
        { key: 'when', text: (row) => dateTime(row.at_ms) },
        { key: 'reportedUser', header: true, text: (row) => row.user },
        { key: 'reporter', text: (row) => row.reporter },
        { key: 'reason', text: (row) => row.reason },
        { key: 'decision', text: decision },
        { key: 'actions', text: (row) => `${row.id} ${row.closed_by ?? ''}`, fill: (cell, row) => cell.append(...this.#buttons(row)) },
      ],
    });
    byId('reports-table').append(this.#table.node);
    byId('reports-open').addEventListener('change', () => void this.#read(null));
    this.#older.addEventListener('click', () => void this.#read(this.#before));
    byId<HTMLFormElement>('inbox-user-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#ask(async (user) => this.#export(user));
    });
    byId('inbox-erase').addEventListener('click', () => void this.#ask(async (user) => this.#erase(user)));
    inLanguage(() => this.#show(this.#shown));
    void this.#read(null);
  }

  async #read(before: number | null): Promise<void> {
    const query = new URLSearchParams({ limit: String(PAGE), open: String(byId<HTMLSelectElement>('reports-open').value === 'open') });
    if (before !== null) query.set('before', String(before));
    await this.#try(async () => {
      const page = await this.api.get<{ reports: Report[]; next_before?: number }>(`/v1/admin/reports?${query}`);
      this.#reports = (before === null ? page.reports : [...this.#reports, ...page.reports]).slice(0, REPORTS_MAX);
      this.#before = this.#reports.length < REPORTS_MAX ? (page.next_before ?? null) : null;
      this.#older.hidden = this.#before === null;
      this.#table.show(this.#reports);
      this.#say('');
    });
  }

  #buttons(row: Report): HTMLElement[] {
    const button = (words: string, label: string, run: () => void): HTMLElement => {
      const made = element('button', 'small', words);
      made.type = 'button';
      made.setAttribute('aria-label', label);
      made.addEventListener('click', run);
      return made;
    };
    const show = button(t('evidence'), t('evidenceOf', { id: row.id }), () => {
      this.#show(row);
      this.#evidence.focus();
    });
    if (row.closed_by !== undefined) return [show];
    return [show, button(t('decide'), t('decideOf', { id: row.id }), () => this.#close(row))];
  }

  #show(report: Report | null): void {
    this.#shown = report;
    this.#evidence.hidden = report === null;
    if (report) this.#evidence.replaceChildren(...evidenceOf(report));
  }

  #close({ id, user, reporter }: Report): void {
    this.actions.ask({
      title: t('decideOf', { id }),
      effects: [t('decideEffect', { user: isolated(user), reporter: isolated(reporter) })],
      danger: false,
      field: { label: t('decisionNote'), kind: { charsMax: NOTE_CHARS_MAX }, initial: '' },
      run: async (note) => {
        await this.api.call('POST', `/v1/admin/reports/${id}/close`, { note });
        await this.#read(null);
        this.changed();
      },
    });
  }

  async #export(user: string): Promise<void> {
    const text = await this.api.text(`/v1/admin/users/${encodeURIComponent(user)}/inbox/export`);
    if (text === '') return this.#say(t('inboxNone', { user: isolated(user) }));
    const link = element('a', '');
    link.href = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
    link.download = `inbox-${user.replace(/[^A-Za-z0-9_-]/gu, '_')}.jsonl`;
    link.click();
    // The browser has taken the file by then.
    setTimeout(() => URL.revokeObjectURL(link.href), CENSUS_MS);
    this.#say('');
  }

  /** Counts what would be erased, and asks with the numbers. */
  async #erase(user: string): Promise<void> {
    const path = `/v1/admin/users/${encodeURIComponent(user)}/inbox`;
    const census = await takeCensus(user, await this.api.stream(`${path}/export`, AbortSignal.timeout(CENSUS_MS)));
    if (census.conversations === 0 && census.blocks === 0) return this.#say(t('inboxNone', { user: isolated(user) }));
    this.#say('');
    this.actions.ask({
      title: t('eraseOf', { user: isolated(user) }),
      effects: effectsOf(census),
      danger: true,
      field: { label: t('eraseRepeat'), kind: { charsMax: 64, equals: user }, initial: '' },
      run: async () => {
        for (let call = 0; call < ERASES_MAX; call += 1) {
          const { more } = await this.api.call<{ more: boolean }>('POST', `${path}/erase`);
          if (!more) break;
        }
        this.changed();
      },
    });
  }

  /** Runs what needs the user of the form. */
  async #ask(run: (user: string) => Promise<void>): Promise<void> {
    const field = byId<HTMLInputElement>('inbox-user');
    const user = field.value.trim();
    if (user === '') return field.focus();
    await this.#try(() => run(user));
  }

  async #try(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.kind === 'unauthorized') return this.signedOut();
      this.#say(error.kind === 'missing' ? t('lettersElsewhere') : error.kind === 'forbidden' ? t('lettersOff') : error.message);
    }
  }

  #say(problem: string): void {
    this.#problem.textContent = problem;
    this.#problem.hidden = problem === '';
  }
}

function decision({ closed_by: by, closed_at_ms: atMs, note }: Report): string {
  if (by === undefined) return t('reportOpen');
  return t('reportClosed', { by: isolated(by), time: dateTime(atMs ?? 0), note: isolated(note ?? '') });
}

/** Returns what an erase does, with the numbers of this user. */
function effectsOf({ items, conversations, groups, owned, blocks, isCut }: Census): string[] {
  const effects = [t('eraseItems', { count: number(items), conversations: number(conversations) })];
  if (isCut) effects.push(t('eraseCut'));
  if (groups > 0) effects.push(t('eraseGroups', { count: number(groups) }));
  if (owned.length > 0) effects.push(t('eraseOwned', { titles: owned.map(isolated).join(', ') }));
  if (blocks > 0) effects.push(t('eraseBlocks', { count: number(blocks) }));
  return [...effects, t('eraseKeeps'), t('eraseForGood')];
}
