// Key of the browser's storage that says when the server last heard of this device; absent while notifications are off.

export const REGISTERED = 'barrage.push';
