// The autoscaler's newest decision, and the crowds that were announced.

import { byId, element } from '@barrage/ui/dom.ts';
import { isolated } from '@barrage/ui/language.ts';
import { dateTime, duration, number } from '@barrage/ui/format.ts';
import { isKey, t, type Key } from './i18n.ts';
import { ofRole, type Overview, type Scaling } from './model.ts';

export class Autoscaler {
  readonly #node = byId('scaling');
  readonly #crowds = byId('crowds');

  show(overview: Overview): void {
    const scaling = ofRole(overview, 'autoscaler')[0]?.scaling;
    if (scaling) this.#node.replaceChildren(...decision(scaling));
    else this.#node.replaceChildren(element('p', 'note', t('autoscalerNone')));
    const crowds = overview.prewarms.map((one) =>
      element('li', '', t('crowd', { room: isolated(one.name), viewers: number(one.viewers), start: dateTime(one.start_secs * 1_000), duration: duration(one.duration_secs) })),
    );
    this.#crowds.replaceChildren(...(crowds.length > 0 ? crowds : [element('li', 'note', t('crowdsNone'))]));
  }
}

function decision(scaling: Scaling): Node[] {
  const figure = (key: Key, value: string) => element('div', 'pair', element('dt', '', t(key)), element('dd', '', value));
  const parts = ([['serving', 'serving'], ['arriving', 'arriving'], ['draining', 'drainingCount'], ['silent', 'silentCount']] as const)
    .filter(([field]) => scaling[field] > 0)
    .map(([field, key]) => `${scaling[field]} ${t(key)}`);
  const constraints = scaling.constraints.map((name) => {
    const key = `constraint_${name}`;
    return isKey(key) ? t(key) : name;
  });
  return [
    element(
      'dl',
      'pairs',
      figure('wanted', number(scaling.wanted)),
      figure('have', `${number(scaling.replicas)} (${parts.join(', ')})`),
      figure('viewers', number(scaling.viewers)),
      figure('forecast', number(scaling.forecast_viewers)),
      figure('why', constraints.length > 0 ? constraints.join(', ') : t('whyNeed')),
    ),
  ];
}
