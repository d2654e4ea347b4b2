// Addresses of images that a page may load: https, or a path of the page's own host. The policy of the
// server decides further which hosts are allowed.

const LENGTH_MAX = 512;

/** Returns the address, or null for one that a page must not load. */
export function safeImage(url: unknown): string | null {
  if (typeof url !== 'string' || url.length > LENGTH_MAX) return null;
  // `//host`, `/\host` and the like name another host.
  if (/^[/\\]{2}|^\/\\/u.test(url) || /[\u0000-\u0020]/u.test(url)) return null;
  if (url.startsWith('/')) return url;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  return parsed?.protocol === 'https:' ? parsed.href : null;
}
