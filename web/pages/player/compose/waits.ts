// Why a viewer may not send now, and until when. Pure.

import { type Key } from '../page/zh.ts';

export interface Wait {
  /** Text key of the reason. */
  key: Key;
  untilMs: number;
  /** Only this text has to wait; another one may be sent. */
  text?: string;
}

/** Returns the words of a countdown: `45 s` below two minutes, else minutes and seconds. */
export function countdown(secs: number): { key: Key; values: Record<string, string | number> } {
  if (secs < 100) return { key: 'countdown', values: { secs } };
  return { key: 'waitLong', values: { minutes: Math.floor(secs / 60), secs: String(secs % 60).padStart(2, '0') } };
}

/** Whether the text has to wait. */
export function waits(wait: Wait | null, text: string): boolean {
  return wait !== null && (wait.text === undefined || wait.text === text);
}
