// The SDK for script tags: everything in one global object.

export * from './index.ts';
export * from './read.ts';
