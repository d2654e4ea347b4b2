import { useRoom } from '@barrage/vue';
import { createApp, defineComponent, h, ref } from 'vue';

const entry = new URLSearchParams(location.search).get('entry') ?? location.origin;

const Chat = defineComponent(() => {
  const { snapshot, send } = useRoom({ entry, room: 'demo', guest: { name: 'Vee' } });
  const text = ref('');
  const submit = (event: Event) => { event.preventDefault(); void send({ type: 'chat', text: text.value }); text.value = ''; };
  return () => h('form', { onSubmit: submit }, [
    h('p', { id: 'state' }, `${snapshot.value.state.kind}, ${snapshot.value.online ?? '-'} online`),
    h('ul', snapshot.value.messages.map(({ sequence, body }) =>
      h('li', { key: sequence }, 'text' in body ? `${body.name}: ${body.text}` : body.type))),
    h('input', { value: text.value, onInput: (event: Event) => { text.value = (event.target as HTMLInputElement).value; } }),
  ]);
});

createApp(Chat).mount('#app');
