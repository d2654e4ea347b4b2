// Sentences of the element, in the language of the element or of the page.

import { type State } from '@barrage/client';

export type Language = 'en' | 'zh';

const en = {
  empty: 'No messages yet',
  write: 'Write a message',
  send: 'Send',
  connecting: 'Connecting…',
  waiting: 'Connection lost, trying again…',
  queued: 'The room is full; you are in the queue',
  ended: 'Not connected',
  held: 'Only you see this message',
  newer: 'Newest messages',
  chat: 'Chat',
  host: 'host',
  moderator: 'moderator',
  admin: 'admin',
};

const zh: Record<keyof typeof en, string> = {
  empty: '还没有消息',
  write: '发条弹幕吧',
  send: '发送',
  connecting: '连接中…',
  waiting: '连接中断，正在重试…',
  queued: '房间已满，正在排队',
  ended: '未连接',
  held: '仅自己可见',
  newer: '最新消息',
  chat: '聊天',
  host: '主播',
  moderator: '房管',
  admin: '官方',
};

export type Key = keyof typeof en;

export function text(language: Language, key: Key): string {
  return (language === 'zh' ? zh : en)[key];
}

export function gave(language: Language, gift: string): string {
  return language === 'zh' ? `送出 \u2068${gift}\u2069` : `sent \u2068${gift}\u2069`;
}

/** Returns the sentence for a state; empty while all is well. */
export function stateText(language: Language, state: State): string {
  switch (state.kind) {
    case 'open':
    case 'moving':
      return '';
    case 'ended':
      return `${text(language, 'ended')} (${state.code})`;
    default:
      return text(language, state.kind);
  }
}

/** Returns the sentence for a post that the server refused. */
export function refusedText(language: Language, message: string, waitMs: number | undefined): string {
  if (waitMs === undefined) return message;
  const secs = Math.max(1, Math.ceil(waitMs / 1_000));
  return language === 'zh' ? `请 ${secs} 秒后再试` : `${message} (${secs} s)`;
}
