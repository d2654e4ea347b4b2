// Addresses of avatars. Pure.

const DIGEST = /^[0-9a-f]{64}$/;

/** Returns the path of an avatar of the media hosts; null for none, and for an id that another platform draws. */
export function avatarPath(id: string | undefined): string | null {
  return id !== undefined && DIGEST.test(id) ? `/v1/avatars/${id}` : null;
}
