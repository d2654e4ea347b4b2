// One file on its way to a media host. It survives cuts and restarts of the server by itself, and a reload of the page
// when the same file is given again.

import { Emitter } from '../emitter.ts';
import { Backoff } from '../ladder/backoff.ts';
import { decide, type Step } from './decide.ts';
import { canHash, hex, prove, sha256 } from './digest.ts';
import { Growing } from './growing.ts';
import type { KeptUploads } from './kept.ts';
import type { Medium } from './medium.ts';
import { Pace } from './pace.ts';
import { scaled } from './scale.ts';
import type { Refusal, Reply, Signed, Tus } from './tus.ts';
import { pause } from './waiting.ts';

/** Largest file that is hashed whole: WebCrypto needs all of its bytes in memory at once. */
const HASHED_BYTES_MAX = 64 << 20;
/** Smallest file for which the question whether the server has it saves more than it costs. */
const KNOWN_BYTES_MIN = 64 << 10;
/** Waits between two looks at the check, and its longest time. */
const LOOK_MS = 250;
const LOOK_MS_MAX = 2_000;
const CHECK_MS_MAX = 5 * 60_000;

/**
 * How far an upload has come. `sending` waits while no server answers, and goes on by itself. `checking`: the server looks
 * at the file, and nobody else sees it before. The last three are the end. `reference` is what a post or a letter has in
 * `media`.
 */
export type UploadState =
  | { kind: 'preparing' }
  | { kind: 'sending'; sentBytes: number; bytes: number; isWaiting: boolean }
  | { kind: 'checking' }
  | { kind: 'ready'; medium: Medium; reference: string }
  | { kind: 'refused'; code: string; message: string; waitMs?: number }
  | { kind: 'cancelled' };

/** How an upload ends. */
export type UploadEnd = Extract<UploadState, { kind: 'ready' | 'refused' | 'cancelled' }>;

export interface UploadEvents {
  state: UploadState;
}

/** What an upload works with. */
export interface Surroundings {
  tus: Tus;
  hosts: () => Promise<readonly string[]>;
  kept: KeptUploads;
  chunkBytes: () => number;
  /** Waits for a place among the uploads that send at once; returns the function that gives it back. */
  turn: () => Promise<() => void>;
}

/** A file with what is said about it. */
export interface Sent {
  file: Blob | Growing;
  name: string;
  visibility: 'private' | 'public';
  /** Whether a picture may be made smaller before. */
  scales: boolean;
}

/** The bytes of an upload: a file, or what has come of a `Growing`. */
interface Source {
  readonly blob: Blob;
  readonly isWhole: boolean;
  changed?(): Promise<void>;
}

export class Upload {
  #emitter = new Emitter<UploadEvents>();
  #state: UploadState = { kind: 'preparing' };
  #abort = new AbortController();
  #backoff = new Backoff(1_000, 20_000);
  #failures = 0;
  #starts = 0;
  #isRenewed = false;
  #hosts: readonly string[] = [];
  #host = 0;
  #url: string | null = null;
  /** Where the upload continues; null before the server was asked. */
  #offset: number | null = null;
  /** Whether the server has the length. */
  #isStated = false;
  /** Bytes that the server had at most. */
  #reached = 0;
  /** End of the upload. Never rejects. */
  readonly done: Promise<UploadEnd>;

  /** Use `Media.upload`. */
  constructor(
    private readonly surroundings: Surroundings,
    private readonly sent: Sent,
  ) {
    this.done = this.#run().then((end) => this.#enter(end));
  }

  get state(): UploadState {
    return this.#state;
  }

  on<Type extends keyof UploadEvents>(type: Type, listener: (event: UploadEvents[Type]) => void): () => void {
    return this.#emitter.on(type, listener);
  }

  /** Ends the upload, and removes what the server has of it. */
  cancel(): void {
    this.#abort.abort();
    if (this.sent.file instanceof Growing) this.sent.file.end();
  }

  async #run(): Promise<UploadEnd> {
    let leave = (): void => undefined;
    try {
      const { file, scales } = this.sent;
      if (file instanceof Growing) {
        leave = await this.surroundings.turn();
        return (await this.#prepared()) ?? (await this.#send(file, null));
      }
      const body = scales ? await scaled(file) : file;
      if (body.size === 0) return { kind: 'refused', code: 'file', message: 'the file is empty' };
      const digest = canHash() && body.size <= HASHED_BYTES_MAX ? hex(await sha256(body)) : null;
      leave = await this.surroundings.turn();
      const ended = await this.#prepared();
      if (ended) return ended;
      // The answer for a known medium has addresses that end.
      const mayKnow = body.size >= KNOWN_BYTES_MIN && this.sent.visibility === 'private';
      const known = digest !== null && mayKnow ? await this.#known(body, digest) : null;
      return known ? { kind: 'ready', medium: known.media, reference: known.reference } : await this.#send({ blob: body, isWhole: true }, digest);
    } catch (error) {
      // A file that was removed since it was picked cannot be read; `hosts` may fail as a network does.
      return { kind: 'refused', code: 'file', message: error instanceof Error ? error.message : String(error) };
    } finally {
      leave();
    }
  }

  /** Asks for the hosts. Returns the end of an upload that has none, or was cancelled. */
  async #prepared(): Promise<UploadEnd | null> {
    this.#hosts = await this.surroundings.hosts();
    if (this.#isCancelled) return { kind: 'cancelled' };
    return this.#hosts.length === 0 ? { kind: 'refused', code: 'no_media', message: 'the server takes no media' } : null;
  }

  /** Asks for a medium that the user has uploaded before, and proves to have the file. A failure means only to upload it. */
  async #known(body: Blob, digest: string): Promise<Signed | null> {
    const { tus } = this.surroundings;
    const [host = ''] = this.#hosts;
    const question = { sha256: digest, length: body.size };
    const asked = await tus.known(host, question, this.#abort.signal);
    if (asked.kind === 'refused' || asked.value.state !== 'challenge') return null;
    const answer = await prove(body, asked.value);
    if (answer === null) return null;
    const proved = await tus.known(host, { ...question, nonce: asked.value.nonce, answer }, this.#abort.signal);
    return proved.kind === 'accepted' && proved.value.state === 'known' ? proved.value : null;
  }

  /** Sends the bytes, asks for the check, and bears what may fail between. */
  async #send(source: Source, digest: string | null): Promise<UploadEnd> {
    const { kept } = this.surroundings;
    const { blob } = source;
    // What is being recorded is in the memory of this page alone: nothing continues it behind a reload.
    const fingerprint = source.isWhole ? (digest ?? `${this.sent.name} ${blob.size} ${(blob as Partial<File>).lastModified ?? 0}`) : '';
    const pace = new Pace(() => this.surroundings.chunkBytes());
    this.#url = kept.find(fingerprint)?.url ?? null;
    this.#isStated = this.#url !== null;
    while (!this.#isCancelled) {
      const reply = await this.#step(source, digest, fingerprint, pace);
      if (reply.kind === 'ended') {
        kept.forget(fingerprint);
        return reply.state;
      }
      if (reply.kind === 'accepted') {
        this.#recovered();
        continue;
      }
      if (this.#isCancelled) break;
      pace.failed();
      const step = this.#decide(reply);
      if (step.kind === 'end') return endOf(reply);
      if (step.kind === 'anew') {
        this.#url = null;
        this.#host += 1;
        this.#reached = 0;
        kept.forget(fingerprint);
      }
      await this.#follow(step, source.blob.size);
    }
    kept.forget(fingerprint);
    if (this.#url !== null) await this.surroundings.tus.end(this.#url);
    return { kind: 'cancelled' };
  }

  /** Does the next thing that is missing: the upload, its offset, a piece, or the end of the check. */
  async #step(source: Source, digest: string | null, fingerprint: string, pace: Pace): Promise<Reply<void> | { kind: 'ended'; state: UploadEnd }> {
    const { tus, kept } = this.surroundings;
    const { signal } = this.#abort;
    // Bytes may come during each request: what is sent is what is there now.
    const { blob: body, isWhole } = source;
    if (this.#url === null) {
      this.#starts += 1;
      const created = await tus.create(this.#hosts[this.#host % this.#hosts.length] ?? '', isWhole ? body.size : null, this.#metadata(body, digest), signal);
      if (created.kind === 'refused') {
        if (isWhole || created.status !== 400) return created;
        // A server that wants the length first gets the bytes at their end.
        while (!source.isWhole) await source.changed?.();
        return accepted;
      }
      this.#url = created.value.url;
      this.#offset = 0;
      this.#isStated = isWhole;
      if (fingerprint !== '') kept.keep(fingerprint, created.value);
      return accepted;
    }
    if (this.#offset === null) {
      const found = await tus.offset(this.#url, signal);
      if (found.kind === 'refused') return found;
      this.#offset = found.value;
      return accepted;
    }
    this.#sending(body.size, false);
    const isSent = this.#offset >= body.size;
    if (isSent && this.#isStated) return this.#checked(this.#url, signal);
    if (isSent && !isWhole) {
      await source.changed?.();
      return accepted;
    }
    const piece = body.slice(this.#offset, this.#offset + pace.bytes);
    const startedMs = performance.now();
    const appended = await tus.append(this.#url, this.#offset, piece, pace.waitMs, signal, isWhole && !this.#isStated ? body.size : null);
    if (appended.kind === 'refused') return appended;
    this.#isStated ||= isWhole;
    pace.sent(piece.size, performance.now() - startedMs);
    this.#offset = appended.value;
    return accepted;
  }

  /** Waits for the end of the check. */
  async #checked(url: string, signal: AbortSignal): Promise<Reply<void> | { kind: 'ended'; state: UploadEnd }> {
    this.#enter({ kind: 'checking' });
    const endMs = performance.now() + CHECK_MS_MAX;
    for (let wait = LOOK_MS; performance.now() < endMs && !this.#isCancelled; wait = Math.min(wait * 1.5, LOOK_MS_MAX)) {
      const shown = await this.surroundings.tus.show(url, signal);
      if (shown.kind === 'refused') return shown;
      const { state, media, reference, refusal } = shown.value;
      if (state === 'ready' && media && reference !== undefined) return { kind: 'ended', state: { kind: 'ready', medium: media, reference } };
      if (state === 'refused') return { kind: 'ended', state: { kind: 'refused', code: refusal?.code ?? 'refused', message: refusal?.message ?? '' } };
      await pause(wait, signal);
    }
    // The upload stays with the server: the same file asks for its check again.
    return { kind: 'refused', status: 0, code: 'check', message: 'the check of the file takes long', waitMs: null };
  }

  #metadata(body: Blob, digest: string | null): Record<string, string> {
    const { name, visibility } = this.sent;
    return {
      filename: name,
      ...(body.type === '' ? {} : { filetype: body.type }),
      ...(digest === null ? {} : { sha256: digest }),
      ...(visibility === 'public' ? { visibility } : {}),
    };
  }

  #decide(refusal: Refusal): Step {
    this.#failures += 1;
    // What the server has got of the piece is not known.
    this.#offset = null;
    const { length: hosts } = this.#hosts;
    return decide(refusal, { isCreated: this.#url !== null, failures: this.#failures, starts: this.#starts, isRenewed: this.#isRenewed, hosts });
  }

  async #follow(step: Exclude<Step, { kind: 'end' }>, bytes: number): Promise<void> {
    if (step.kind === 'renew') {
      this.#isRenewed = true;
      this.surroundings.tus.forgetToken();
      return;
    }
    this.#sending(bytes, true);
    await pause(step.waitMs + this.#backoff.next(), this.#abort.signal);
  }

  #recovered(): void {
    // An answer to HEAD is no progress: a piece that always fails must end.
    if (this.#offset === null || this.#offset <= this.#reached) return;
    this.#reached = this.#offset;
    this.#failures = 0;
    this.#isRenewed = false;
    this.#backoff.reset();
  }

  #sending(bytes: number, isWaiting: boolean): void {
    this.#enter({ kind: 'sending', sentBytes: this.#offset ?? this.#reached, bytes, isWaiting });
  }

  #enter<Entered extends UploadState>(state: Entered): Entered {
    this.#state = state;
    this.#emitter.emit('state', state);
    return state;
  }

  get #isCancelled(): boolean {
    return this.#abort.signal.aborted;
  }
}

const accepted = { kind: 'accepted', value: undefined } as const;

function endOf({ code, message, waitMs }: Refusal): UploadEnd {
  return { kind: 'refused', code, message, ...(waitMs === null ? {} : { waitMs }) };
}
