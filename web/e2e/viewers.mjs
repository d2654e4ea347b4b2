// Viewers in one blank page: WebSockets to the gateways of a fleet. A viewer that is told to move
// joins another gateway with its position, and then closes the old connection.

import { newContext } from './browser.mjs';

export class Viewers {
  /** Opens `count` viewers of a room, spread over the gateways that entry names. */
  static async start(browser, origin, room, count) {
    const viewers = new Viewers();
    viewers.context = await newContext(browser);
    viewers.page = await viewers.context.newPage();
    // A file of the server's origin without scripts of its own.
    await viewers.page.goto(`${origin}/icon.svg`);
    const answer = await (await fetch(`${origin}/v1/entry?room=${room}`)).json();
    const endpoints = answer.downlinks.filter(({ transport }) => transport === 'ws').sort((a, b) => a.gateway.localeCompare(b.gateway));
    await viewers.page.evaluate(run, { endpoints, count });
    return viewers;
  }

  /** Returns the viewers at each gateway, the number of moves, and the smallest number of messages of a viewer. */
  state() {
    return this.page.evaluate(() => window.viewers());
  }

  async stop() {
    await this.context.close();
  }
}

/** Runs in the page. */
function run({ endpoints, count }) {
  const all = Array.from({ length: count }, (_, at) => ({ at: at % endpoints.length, gateway: '', moves: 0, messages: 0, last: null, socket: null, ids: 0 }));
  const join = (viewer) => {
    const { url, gateway } = endpoints[viewer.at];
    const old = viewer.socket;
    const socket = new WebSocket(url, ['barrage.v1.json']);
    viewer.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: 'join', ...(viewer.last === null ? {} : { after: viewer.last }) }));
    socket.onmessage = ({ data }) => {
      if (viewer.socket !== socket) return;
      const frame = JSON.parse(data);
      if (frame.type === 'hello') {
        viewer.gateway = gateway;
        viewer.last ??= frame.sequence;
        old?.close();
      } else if (frame.type === 'batch') {
        viewer.last = frame.sequence;
        viewer.messages += frame.messages.length;
      } else if (frame.type === 'reconnect') move(viewer);
    };
    socket.onclose = () => {
      if (viewer.socket === socket) setTimeout(() => move(viewer), 100);
    };
  };
  const move = (viewer) => {
    viewer.moves += 1;
    viewer.at = (viewer.at + 1) % endpoints.length;
    join(viewer);
  };
  all.forEach(join);
  setInterval(() => {
    for (const viewer of all) if (viewer.socket.readyState === WebSocket.OPEN) viewer.socket.send(JSON.stringify({ type: 'ping', id: (viewer.ids += 1) }));
  }, 10_000);
  window.viewers = () => {
    const at = {};
    for (const { gateway } of all) at[gateway] = (at[gateway] ?? 0) + 1;
    return { at, moves: all.reduce((sum, one) => sum + one.moves, 0), messagesMin: Math.min(...all.map((one) => one.messages)) };
  };
}
