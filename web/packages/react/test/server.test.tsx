// The hook on a server: it renders the empty snapshot, and opens nothing.

import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';
import { useRoom } from '../src/index.ts';

test('a server renders the empty snapshot and asks no network', () => {
  const fetch = () => {
    throw new Error('a server asks nothing');
  };
  const Chat = () => {
    const { state, messages, room } = useRoom({ entry: 'http://chat.example', room: 'demo', fetch });
    return createElement('p', null, `${state.kind}, ${messages.length} messages, ${room === null}`);
  };
  expect(renderToString(createElement(Chat))).toBe('<p>connecting, 0 messages, true</p>');
});
