// One message of a recording: what the list and the stage show.

import { type Mode, type Place } from '@barrage/stage';

export interface Message {
  /** Unique in the recording: doubles are told by it. */
  id: string;
  /** Milliseconds from the start of the stream. */
  offsetMs: number;
  kind: 'chat' | 'gift' | 'super_chat';
  user: string;
  name: string;
  role: string;
  text: string;
  mode: Mode;
  color: number;
  size: 'small' | 'normal' | 'large';
  place?: Place;
  /** Gift: its name, number and price of one; `text` is empty. */
  gift?: { name: string; count: number; priceMinor: number };
  /** Super chat: what was paid. */
  paid?: { minor: number; currency: string };
}
