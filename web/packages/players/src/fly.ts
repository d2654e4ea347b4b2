// Lets the messages of a room fly on a stage, and takes back what the room takes back.

import { type Body, type Room } from '@barrage/client';
import { type Danmaku, type Stage } from '@barrage/stage';
import { danmakuOf, ENGLISH, type Sentences } from './danmaku.ts';

export interface FlyOptions {
  sentences?: Sentences;
  /** Returns false for messages that shall not fly. */
  filter?: (body: Body, sequence: number) => boolean;
  /** Changes a danmaku before it flies, such as its color. */
  change?: (danmaku: Danmaku) => Danmaku;
}

/** Follows the room until the returned function is called. The caller closes room and stage. */
export function fly(room: Room, stage: Pick<Stage, 'fly' | 'recall' | 'purge'>, options: FlyOptions = {}): () => void {
  const { sentences = ENGLISH, filter = () => true, change = (danmaku) => danmaku } = options;
  return room.on('batch', ({ messages }) => {
    for (const { sequence, body } of messages) {
      if (!body || body.type === 'event') continue;
      if (body.type === 'signal') takeBack(stage, body);
      else if (filter(body, sequence)) stage.fly(change(danmakuOf(body, sequence, sentences, room.user)));
    }
  });
}

/** Removes what a signal hides. */
function takeBack(stage: Pick<Stage, 'recall' | 'purge'>, signal: Extract<Body, { type: 'signal' }>): void {
  if (signal.signal === 'recall' && signal.sequence !== undefined) stage.recall(signal.sequence);
  if (signal.signal === 'purge' && typeof signal.user === 'string') stage.purge(signal.user);
  if (signal.signal === 'clear') stage.purge(null);
}
