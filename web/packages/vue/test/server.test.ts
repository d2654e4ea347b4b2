// The composable on a server: it renders the empty snapshot, and opens nothing.

import { expect, test } from 'vitest';
import { createSSRApp, h } from 'vue';
import { renderToString } from 'vue/server-renderer';
import { useRoom } from '../src/index.ts';

test('a server renders the empty snapshot and asks no network', async () => {
  const fetch = () => {
    throw new Error('a server asks nothing');
  };
  const app = createSSRApp({
    setup() {
      const { snapshot, room } = useRoom({ entry: 'http://chat.example', room: 'demo', fetch });
      return () => h('p', `${snapshot.value.state.kind}, ${snapshot.value.messages.length} messages, ${room() === null}`);
    },
  });
  expect(await renderToString(app)).toBe('<p>connecting, 0 messages, true</p>');
});
