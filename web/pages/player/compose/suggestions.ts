// What the text box suggests: commands behind a slash, names of senders behind an @.

import { type Senders } from '../log/senders.ts';
import { commandsFor } from '../moderate/commands.ts';
import { isKey, t } from '../page/i18n.ts';
import { type Draft } from './draft.ts';
import { type Suggester, SUGGESTIONS_MAX } from './suggest.ts';

export function suggesterOf(senders: Senders, draft: Draft, role: () => string | null): Suggester {
  return (word, isFirst) => {
    if (isFirst && /^\/[a-z]*$/iu.test(word)) return { label: t('commands'), found: commands(role(), word.slice(1)) };
    if (!/^@./u.test(word)) return { label: '', found: [] };
    const found = senders.beginning(word.slice(1), SUGGESTIONS_MAX).map(({ user, name }) => ({
      insert: `@${name} `,
      words: `@${name}`,
      taken: () => draft.chose(user, name),
    }));
    return { label: t('mentions'), found };
  };
}

function commands(role: string | null, letters: string): ReturnType<Suggester>['found'] {
  return commandsFor(role, letters).map(({ name, usage }) => {
    const key = `cmd_${name}`;
    return {
      insert: usage.length === 0 ? `/${name}` : `/${name} `,
      words: [`/${name}`, ...usage.map((one) => t(one))].join(' '),
      meaning: isKey(key) ? t(key) : '',
    };
  });
}
