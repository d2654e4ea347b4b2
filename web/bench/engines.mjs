// The engines that the bench compares, with one interface: `start(container)` returns `add(text, color)`.
// All get the same texts, font size and crossing time; each decides itself what it shows.

import { Stage } from '@barrage/stage';
import Danmaku from 'danmaku';
import danmuModule from 'danmu.js';

/** The package is of CommonJS, and its class is the export `default` there. */
const DanmuJs = danmuModule.default ?? danmuModule;
const CROSSING_MS = 9_000;
const FONT_PX = 23;
const FONT = `600 ${FONT_PX}px sans-serif`;

function ours(painter) {
  return (container) => {
    // Equal texts would be one danmaku with a number; the peers show each.
    const stage = new Stage(container, { painter, settings: { merge: false, font: 'sans-serif' } });
    return (text, color) => stage.fly({ sequence: null, user: 'u', text, color });
  };
}

function danmaku(engine) {
  return (container) => {
    const made = new Danmaku({ container, engine, comments: [], speed: (container.clientWidth / CROSSING_MS) * 1000 });
    const style = { canvas: (fillStyle) => ({ font: FONT, fillStyle, strokeStyle: '#000', lineWidth: 2 }), dom: (color) => ({ font: FONT, color, textShadow: '0 0 3px #000' }) };
    return (text, color) => made.emit({ text, mode: 'rtl', style: style[engine](css(color)) });
  };
}

function danmuJs(container) {
  const made = new DanmuJs({ container, comments: [], live: true, area: { start: 0, end: 1 }, channelSize: 36 });
  made.start();
  let id = 0;
  return (txt, color) => {
    id += 1;
    made.sendComment({ id: String(id), duration: CROSSING_MS, txt, mode: 'scroll', style: { color: css(color), font: FONT, textShadow: '0 0 3px #000' } });
  };
}

/** The plugin shows danmaku at times of a video. The player is told that a video plays: decoding one costs time. */
function artplayer(container) {
  const startMs = performance.now();
  const { Artplayer, artplayerPluginDanmuku } = window;
  const plugin = artplayerPluginDanmuku({ danmuku: [], speed: CROSSING_MS / 1000, fontSize: FONT_PX, emitter: false, theme: 'dark' });
  const art = new Artplayer({ container, url: '', plugins: [plugin] });
  Object.defineProperties(art.video, {
    currentTime: { get: () => 1 + (performance.now() - startMs) / 1000, set: () => undefined },
    paused: { get: () => false },
    ended: { get: () => false },
    readyState: { get: () => 4 },
  });
  art.emit('video:playing');
  const style = { fontWeight: '600', fontFamily: 'sans-serif' };
  return (text, color) => void art.plugins.artplayerPluginDanmuku.emit({ text, mode: 0, color: css(color), style });
}

const ENGINES = {
  'ours-dom': ours('dom'),
  'ours-canvas': ours('canvas'),
  'danmaku-dom': danmaku('dom'),
  'danmaku-canvas': danmaku('canvas'),
  'danmu.js': danmuJs,
  'artplayer-plugin-danmuku': artplayer,
};

function css(color) {
  return `#${color.toString(16).padStart(6, '0')}`;
}

/** Starts an engine that gets `perSecond` texts of the list each second. */
function run(name, texts, perSecond) {
  const container = document.getElementById('stage');
  const add = ENGINES[name](container);
  let offered = 0;
  const startMs = performance.now();
  setInterval(() => {
    const due = ((performance.now() - startMs) / 1000) * perSecond;
    for (; offered < due; offered += 1) add(texts[offered % texts.length], offered % 5 === 0 ? 0xffd27a : 0xffffff);
  }, 100);
}

/** Returns the boxes of all danmaku in view: elements, and pictures that canvases paint in one frame. */
async function boxes() {
  const stage = document.getElementById('stage').getBoundingClientRect();
  const pictures = await painted();
  const shown = [...document.getElementById('stage').querySelectorAll('*')].filter(isDanmaku);
  const elements = shown.map((node) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return { left, right, top, bottom };
  });
  return [...elements, ...pictures].filter((box) => box.right > stage.left && box.left < stage.right && box.right > box.left);
}

/** Danmaku are the innermost elements with a text; players have others in their controls. */
function isDanmaku(node) {
  if (node.childElementCount > 0 || node.textContent === '' || node.closest('style, .art-bottom, .art-layers, .art-notice, .art-info, .art-contextmenus, .art-settings')) return false;
  return getComputedStyle(node).visibility !== 'hidden';
}

/** Returns the boxes of the pictures that canvases of the page paint in their next frame, which begins with `clearRect`. */
async function painted() {
  const prototype = CanvasRenderingContext2D.prototype;
  const { drawImage, clearRect } = prototype;
  let boxes = [];
  prototype.clearRect = function (...args) {
    boxes = [];
    return clearRect.apply(this, args);
  };
  prototype.drawImage = function (...args) {
    const [picture, x, y] = args;
    const at = this.canvas.getBoundingClientRect();
    boxes.push({ left: at.left + x, right: at.left + x + picture.width, top: at.top + y, bottom: at.top + y + picture.height });
    return drawImage.apply(this, args);
  };
  // Callbacks of one frame run in the order of their requests: after the second one, a whole frame is painted.
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))));
  Object.assign(prototype, { drawImage, clearRect });
  return boxes;
}

Object.assign(window, { bench: { run, boxes } });
