// Connects the parts of the replay: the source, the clock, the stage, the list and the heat line.

import { byId } from '@barrage/ui/dom.ts';
import { number } from '@barrage/ui/format.ts';
import { bindKeys } from '@barrage/ui/keys.ts';
import { inLanguage, isolated, switchLanguage } from '@barrage/ui/language.ts';
import { bindTheme } from '@barrage/ui/theme_button.ts';
import { Archive } from './archive.ts';
import { takeFiles } from './files/drop.ts';
import { fromPage, fromServer, save, type Format } from './files/save.ts';
import { List, ROWS_MAX } from './list.ts';
import { FLIGHT_MS, Screen } from './screen.ts';
import { Session } from './session.ts';
import { say, t, translatePage, type Key } from './texts/i18n.ts';
import { readTime, timeText } from './time_text.ts';
import { TimeBar } from './time_bar.ts';
import { PlainClock, VideoClock } from './timeline/clock.ts';
import { Timeline } from './timeline/timeline.ts';

/** Time behind the last message that the replay plays, so that the last danmaku fly out. */
const TAIL_MS = 8_000;
/** Ticks of a page that is hidden. */
const HIDDEN_MS = 250;

const video = byId<HTMLVideoElement>('video');
const screen = new Screen(byId('flight'), byId('missed'));
const list = new List(byId('list'), (ms) => seek(ms));
const bar = new TimeBar((ms) => seek(ms));
let archive: Archive | null = null;
/** Name of what is replayed: a room or a file. */
let name = '';
let session = newSession();
let endMs = 0;

function newSession(): Session {
  const timeline = new Timeline();
  // Without an archive all messages of the file are there.
  return new Session(timeline, new PlainClock(() => performance.now()), (ms) => (archive ? archivedTo(archive, ms) : Infinity), {
    due: (messages, positionMs) => {
      list.append(messages);
      screen.fly(messages, positionMs);
    },
    moved: (positionMs) => {
      screen.seek(timeline.between(positionMs - FLIGHT_MS, positionMs), positionMs);
      list.replace(timeline.latest(positionMs, ROWS_MAX));
      archive?.seek(positionMs);
      tell();
    },
  });
}

/** Behind the end of the archive nothing is missing. */
function archivedTo(from: Archive, ms: number): number {
  const toMs = from.coverage.loadedTo(Math.max(0, ms));
  return from.endMs !== null && toMs > from.endMs ? Infinity : toMs;
}

function seek(ms: number): void {
  session.seek(Math.min(Math.max(0, ms), endMs));
}

function toggle(): void {
  if (session.playing) session.pause();
  else {
    if (session.positionMs >= endMs) seek(0);
    session.play();
  }
  screen.run(session.playing);
  tell();
}

/** Replaces what is replayed. A video stays, because its danmaku may be dropped after it. */
function start(of: string): void {
  archive?.close();
  archive = null;
  session.pause();
  session = newSession();
  if (!video.hidden) session.use(new VideoClock(video));
  session.shift(1_000 * Number(byId<HTMLInputElement>('shift').value));
  screen.clear();
  name = of;
  byId('invite').hidden = true;
  title();
}

function openArchive(room: string, token: string | null, fromMs: number): void {
  start(room);
  let sought = fromMs > 0;
  const own = new Archive(room, token, {
    messages: (messages) => {
      const isStill = !session.playing || session.waiting;
      if (session.timeline.add(messages) > 0 && isStill) list.replace(session.timeline.latest(session.shownMs, ROWS_MAX));
    },
    changed: () => {
      changed();
      if (sought && endMs > 0) {
        sought = false;
        seek(fromMs);
      }
    },
    failed: (message) => note('failed', { message: isolated(message) }),
  });
  archive = own;
  changed();
}

/** Shows the length, the heat line and the number of messages anew. */
function changed(): void {
  const { timeline } = session;
  const lastMs = Math.max(timeline.endMs, archive?.endMs ?? 0);
  endMs = Math.max(lastMs > 0 ? lastMs + TAIL_MS : 0, video.hidden ? 0 : new VideoClock(video).endMs - session.shiftMs);
  bar.show(timeline.all, endMs);
  const chip = byId('loaded');
  chip.hidden = name === '';
  const isLoading = archive !== null && (archive.endMs === null || archive.coverage.next(0, archive.endMs) !== null);
  say(chip, isLoading ? 'loading' : 'loaded', { count: number(timeline.all.length) });
  if (archive && archive.cut > 0) note('cut', { count: archive.cut });
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-export]')) {
    button.disabled = timeline.all.length === 0;
    if (button.dataset['export'] === 'ass') button.hidden = archive === null;
  }
  tell();
}

/** Shows the position and what the replay does. */
function tell(): void {
  const positionMs = Math.min(Math.max(0, session.positionMs), endMs);
  bar.at(positionMs);
  byId('clock').dataset['ms'] = String(session.positionMs);
  byId('clock').textContent = `${timeText(positionMs)} / ${timeText(endMs)}`;
  say(byId('play'), session.playing ? (session.waiting ? 'waiting' : 'pause') : 'play');
}

function tick(): void {
  const wasPlaying = session.playing;
  session.tick();
  if (session.playing && !session.waiting && endMs > 0 && session.positionMs >= endMs && video.hidden) session.pause();
  screen.run(session.playing && !session.waiting);
  if (wasPlaying) tell();
}

function frame(): void {
  tick();
  requestAnimationFrame(frame);
}

function note(key: Key, values: Record<string, string | number> = {}): void {
  say(byId('note'), key, values);
}

function title(): void {
  document.body.classList.toggle('has-recording', name !== '');
  byId('heading').textContent = name === '' ? t('title') : `${isolated(name)} · ${t('title')}`;
  document.title = name === '' ? t('title') : `${name} · ${t('title')}`;
}

let videoUrl = '';
function openVideo(file: File): void {
  if (videoUrl) URL.revokeObjectURL(videoUrl);
  videoUrl = URL.createObjectURL(file);
  video.src = videoUrl;
  video.onloadedmetadata = () => {
    video.hidden = false;
    byId('invite').hidden = true;
    session.pause();
    session.use(new VideoClock(video));
    if (name === '') name = file.name;
    title();
    changed();
    note('videoLoaded', { name: isolated(file.name) });
  };
  video.onerror = () => {
    if (!video.hidden) session.use(new PlainClock(() => performance.now()));
    video.hidden = true;
    note('videoFailed', { name: isolated(file.name) });
    changed();
  };
}

async function exportAs(format: Format): Promise<void> {
  const fileName = `${name || 'replay'}.${format}`;
  const served = archive ? await fromServer(archive.room, archiveToken, format) : null;
  if (served !== null) {
    save(fileName, served);
    return note('exported', { name: isolated(fileName) });
  }
  if (format === 'ass') return note('exportNone');
  const { all } = session.timeline;
  save(fileName, fromPage(all, format));
  if (archive) note('exportLoaded', { name: isolated(fileName), count: number(all.length) });
  else note('exported', { name: isolated(fileName) });
}

let archiveToken: string | null = null;
byId<HTMLFormElement>('archive-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const [room, from] = [byId<HTMLInputElement>('room').value.trim(), byId<HTMLInputElement>('from').value.trim()];
  archiveToken = byId<HTMLInputElement>('token').value.trim() || null;
  history.replaceState(null, '', `?room=${encodeURIComponent(room)}${from === '' ? '' : `&from=${encodeURIComponent(from)}`}`);
  openArchive(room, archiveToken, readTime(from));
});
takeFiles({
  danmaku: (fileName, parsed) => {
    start(fileName);
    session.timeline.add(parsed.messages);
    changed();
    seek(0);
    if (parsed.skipped > 0) note('skipped', { count: number(parsed.skipped) });
    else byId('note').textContent = '';
  },
  video: openVideo,
  refused: (key, fileName) => note(key, { name: isolated(fileName) }),
});
video.addEventListener('seeking', () => session.sought());
byId('play').addEventListener('click', toggle);
byId('back').addEventListener('click', () => seek(session.positionMs - 10_000));
byId('forward').addEventListener('click', () => seek(session.positionMs + 10_000));
byId('danmaku').addEventListener('change', (event) => screen.show((event.target as HTMLInputElement).checked));
byId('opacity').addEventListener('input', (event) => screen.fade(Number((event.target as HTMLInputElement).value)));
byId('rate').addEventListener('change', (event) => setRate(Number((event.target as HTMLSelectElement).value)));
byId('shift').addEventListener('change', (event) => {
  session.shift(1_000 * Number((event.target as HTMLInputElement).value));
  changed();
});
for (const button of document.querySelectorAll<HTMLElement>('[data-export]')) button.addEventListener('click', () => void exportAs(button.dataset['export'] as Format));
byId('language').addEventListener('click', switchLanguage);
bindTheme(byId<HTMLButtonElement>('theme'));

function setRate(rate: number): void {
  session.setRate(rate);
  screen.rate(rate);
}

bindKeys([
  { label: 'keyPlay', keys: [[' ', toggle]] },
  { label: 'keySeek', keys: [['ArrowLeft', () => seek(session.positionMs - 5_000)], ['ArrowRight', () => seek(session.positionMs + 5_000)]] },
  { label: 'keyJump', keys: [['j', () => seek(session.positionMs - 60_000)], ['l', () => seek(session.positionMs + 60_000)]] },
  { label: 'keyDanmaku', keys: [['d', () => byId('danmaku').click()]] },
], t);
inLanguage(() => {
  translatePage();
  byId('language').textContent = t('language');
  screen.relabel();
  list.replace(session.timeline.latest(session.shownMs, ROWS_MAX));
  title();
  tell();
});
requestAnimationFrame(frame);
setInterval(() => document.hidden && tick(), HIDDEN_MS);

const query = new URLSearchParams(location.search);
const token = new URLSearchParams(location.hash.slice(1)).get('token');
if (location.hash) history.replaceState(null, '', location.pathname + location.search);
const asked = query.get('room') ?? '';
byId<HTMLInputElement>('from').value = query.get('from') ?? '';
if (/^[A-Za-z0-9_-]{1,64}$/.test(asked)) {
  byId<HTMLInputElement>('room').value = asked;
  archiveToken = token;
  openArchive(asked, token, readTime(query.get('from')));
}
