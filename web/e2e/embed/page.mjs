// The page of a site with players that it had before: each function starts one of them over the same room. The test
// calls them; the clip is recorded in the page, because the tests have no video file.

import Artplayer from 'artplayer';
import DPlayer from 'dplayer';
import Hls from 'hls.js';
import Xgplayer from 'xgplayer';
import 'xgplayer/dist/index.min.css';
import { join } from '@barrage/client';
import { define } from '@barrage/element';
import { overlay } from '@barrage/players';
import { artplayer } from '@barrage/players/artplayer';
import { backend, dplayer } from '@barrage/players/dplayer';
import { streamElements } from '@barrage/players/stream-elements';
import { xgplayer } from '@barrage/players/xgplayer';

const CLIP_MS = 1_500;

function place(id) {
  const made = document.createElement('div');
  made.id = id;
  made.className = 'place';
  document.body.append(made);
  return made;
}

/** Records a clip of a canvas in a container that Media Source Extensions read too. */
async function record() {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 160, height: 90 });
  const drawing = canvas.getContext('2d');
  let hue = 0;
  const timer = setInterval(() => {
    drawing.fillStyle = `hsl(${(hue += 7)} 40% 20%)`;
    drawing.fillRect(0, 0, 160, 90);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: 'video/mp4;codecs=avc1.42E01E' });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  await new Promise((resolve) => setTimeout(resolve, CLIP_MS));
  recorder.stop();
  await stopped;
  clearInterval(timer);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function url(type, ...parts) {
  return URL.createObjectURL(new Blob(parts, { type }));
}

/** Cuts the clip where the header of the track ends, and returns a playlist of header and one segment. */
function playlist(clip) {
  const view = new DataView(clip.buffer);
  const end = view.getUint32(0) + view.getUint32(view.getUint32(0));
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:2', '#EXT-X-MEDIA-SEQUENCE:0', `#EXT-X-MAP:URI="${url('video/mp4', clip.slice(0, end))}"`, '#EXTINF:1.5,', url('video/mp4', clip.slice(end)), '#EXT-X-ENDLIST', ''];
  return url('application/vnd.apple.mpegurl', lines.join('\n'));
}

let clip;
const rooms = [];

function enter(options) {
  const room = join(options);
  rooms.push(room);
  return room;
}

window.embed = {
  async prepare() {
    clip = await record();
  },

  async hls(options) {
    const video = document.createElement('video');
    Object.assign(video, { muted: true, loop: true });
    place('hls').append(video);
    const hls = new Hls({ enableWorker: false });
    const failed = new Promise((_, reject) => hls.on(Hls.Events.ERROR, (_, data) => data.fatal && reject(new Error(`${data.details}: ${data.error?.message}`))));
    hls.loadSource(playlist(clip));
    hls.attachMedia(video);
    await Promise.race([new Promise((resolve) => video.addEventListener('loadeddata', resolve, { once: true })), failed]);
    await video.play();
    window.overHls = overlay(video, enter(options));
  },

  async artplayer(options) {
    const art = new Artplayer({ container: place('artplayer'), url: url('video/mp4', clip), muted: true, loop: true });
    await new Promise((resolve) => art.on('ready', resolve));
    await art.play();
    window.art = art;
    window.overArt = artplayer(art, enter(options));
  },

  async xgplayer(options) {
    const player = new Xgplayer({ el: place('xgplayer'), url: url('video/mp4', clip), autoplayMuted: true, autoplay: true, loop: true, width: 480, height: 270 });
    window.xg = player;
    window.overXg = xgplayer(player, enter(options));
  },

  async dplayer(options) {
    const room = enter(options);
    const dp = new DPlayer({ container: place('dplayer'), video: { url: url('video/mp4', clip) }, mutex: false, danmaku: { id: 'demo', api: '/unused/', user: 'x' }, apiBackend: backend(room) });
    dplayer(dp, room);
    dp.video.muted = true;
    await dp.video.play();
    window.dp = dp;
  },

  element(attributes) {
    define();
    const element = document.createElement('barrage-room');
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    place('element').append(element);
  },

  /** A widget as streamers write them: plain code that hears two events, and writes texts as markup. */
  widget(options) {
    const root = place('widget');
    window.addEventListener('onWidgetLoad', ({ detail }) => (root.dataset.title = detail.fieldData.title));
    window.addEventListener('onEventReceived', ({ detail: { listener, event } }) => {
      if (listener === 'message') {
        const { data, renderedText } = event;
        root.insertAdjacentHTML('beforeend', `<p data-id="${data.msgId}" data-from="${data.userId}"><b style="color:${data.displayColor}">${data.displayName}</b> <span>${renderedText}</span></p>`);
      }
      if (listener === 'delete-message') root.querySelector(`[data-id=${event.msgId}]`)?.remove();
      if (listener === 'delete-messages') for (const row of root.querySelectorAll(`[data-from=${event.userId}]`)) row.remove();
    });
    streamElements(enter(options), { title: 'chat' });
  },

  states: () => rooms.map((room) => room.state.kind),
};
