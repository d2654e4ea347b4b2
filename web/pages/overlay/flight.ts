// Danmaku of the overlay, on the stage.

import { type Written } from '@barrage/client';
import { Stage } from '@barrage/stage';
import { danmakuOf } from '@barrage/players';
import { type Emotes } from './feed/emotes.ts';
import { type Settings } from './settings.ts';
import { gave } from './texts.ts';
import { type Flight } from './feed/view.ts';

/** Text size of the overlay at which danmaku have their usual size. */
const USUAL_PX = 24;

/** Creates a stage in the container that shows chats, gifts and super chats. */
export function flightOf(container: HTMLElement, settings: Settings, emotes: Emotes): Flight {
  const stage = new Stage(container, {
    settings: { opacity: settings.opacity, area: settings.area, size: settings.sizePx / USUAL_PX, font: settings.font },
  });
  const gift = (name: string): string => gave(settings.lang, name);
  return {
    fly(body: Written, sequence: number): void {
      const danmaku = danmakuOf(body, sequence, { gave: gift });
      if (settings.emotes && body.type !== 'gift') danmaku.pieces = emotes.forStage(body.text, body.emotes ?? []);
      stage.fly(danmaku);
    },
    recall: (sequence) => stage.recall(sequence),
    purge: (user) => stage.purge(user),
    pause: () => stage.pause(),
    play: () => stage.play(),
  };
}
