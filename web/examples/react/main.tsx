import { useRoom } from '@barrage/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

const entry = new URLSearchParams(location.search).get('entry') ?? location.origin;

function Chat() {
  const { messages, state, online, send } = useRoom({ entry, room: 'demo', guest: { name: 'Rea' } });
  const [text, setText] = useState('');
  return (
    <form onSubmit={(event) => { event.preventDefault(); void send({ type: 'chat', text }); setText(''); }}>
      <p id="state">{state.kind}, {online ?? '-'} online</p>
      <ul>{messages.map(({ sequence, body }) => <li key={sequence}>{'text' in body ? `${body.name}: ${body.text}` : body.type}</li>)}</ul>
      <input value={text} onChange={(event) => setText(event.target.value)} />
    </form>
  );
}

createRoot(document.getElementById('app')!).render(<Chat />);
