// Pictures, clips and files: uploads that survive cuts and reloads, and what draws a medium before and when its
// bytes come. Apart from the SDK, because a page without media needs none of it.

export { openMedia, Media, type MediaOptions, type Picked } from './media/media.ts';
export { mediaHosts, type MediaHosts } from './media/hosts.ts';
export { Growing } from './media/growing.ts';
export { type Signed } from './media/tus.ts';
export { Upload, type UploadEnd, type UploadEvents, type UploadState } from './media/upload.ts';
export { addressEndsMs, chooseVariant, type Medium, type Variant, type Wanted } from './media/medium.ts';
export { Addresses, type Renew } from './media/addresses.ts';
export { chunkBytesOf, networkOf, preload, preloadBytesOf, type Network } from './media/network.ts';
export { drawThumbhash, readThumbhash, type Placeholder } from './media/thumbhash.ts';
