// Notifications as the browser has them.

import { keep, recall } from '@barrage/ui/storage.ts';
import { type PushBrowser } from './push.ts';

/** Returns the browser's push; null where it has none, or only for installed pages. */
export function pushBrowser(): PushBrowser | null {
  if (!('serviceWorker' in navigator) || !('PushManager' in window) || !('Notification' in window)) return null;
  return {
    get permission() {
      return Notification.permission;
    },
    ask: () => Notification.requestPermission(),
    async worker() {
      await navigator.serviceWorker.register('./push_worker.js');
      return navigator.serviceWorker.ready;
    },
    recall: (key) => recall('local', key),
    keep: (key, value) => keep('local', key, value),
  };
}
