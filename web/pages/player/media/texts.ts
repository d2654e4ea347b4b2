// Texts about pictures, in Chinese and English.

import { texts } from '@barrage/ui/language.ts';

const ZH = {
  attach: '发送图片',
  remove: '移除图片',
  close: '关闭',
  pictureOf: '{name} 的图片',
  stickerOf: '{name} 的贴纸',
  preparing: '正在准备图片…',
  sending: '上传中 {percent}%',
  waiting: '网络中断，恢复后会自动继续。',
  checking: '正在检查图片，通过后别人才能看到。',
  ready: '图片已就绪。',
  refused: '图片未被接受：{message}',
  network: '图片没有传上去。网络恢复后再选一次，会从断点继续。',
  picture: '图片',
  removed: '图片已被移除',
  wait: '图片还没有传完。',
};
export type Key = keyof typeof ZH;

const EN: Record<Key, string> = {
  attach: 'Send a picture',
  remove: 'Remove the picture',
  close: 'Close',
  pictureOf: 'Picture from {name}',
  stickerOf: 'Sticker from {name}',
  preparing: 'Preparing the picture…',
  sending: 'Uploading, {percent} %',
  waiting: 'The network is away. The upload goes on by itself.',
  checking: 'The server checks the picture. Nobody else sees it before.',
  ready: 'The picture is ready.',
  refused: 'The picture was not accepted: {message}',
  network: 'The picture was not uploaded. Choose it again when the network is back: it continues where it was.',
  picture: 'Picture',
  removed: 'The picture was removed',
  wait: 'The picture is still on its way.',
};

export const { t } = texts<Key>(ZH, EN);
