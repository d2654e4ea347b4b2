// @twurple/chat as a bot. It has no port to choose, so the server listens on 6667.
import { ChatClient } from "@twurple/chat";
import { channel, host, obey, report, token } from "./report.mjs";

// The library asks Twitch whose token it has, and this program answers.
const fetched = globalThis.fetch;
globalThis.fetch = async (url, options) =>
  String(url).startsWith("https://id.twitch.tv/oauth2/validate")
    ? Response.json({ client_id: "bot", login: "bot", user_id: "1", scopes: ["chat:read", "chat:edit"], expires_in: 3600 })
    : fetched(url, options);

// The token of the platform in place of one of Twitch.
const own = { accessToken: token, refreshToken: null, scope: [], expiresIn: null, obtainmentTimestamp: Date.now() };
const authProvider = {
  clientId: "bot",
  getCurrentScopesForUser: () => [],
  getAccessTokenForUser: async () => own,
  getAccessTokenForIntent: async () => ({ ...own, userId: "1" }),
  getAnyAccessToken: async () => own,
};
const client = new ChatClient({
  authProvider: token ? authProvider : undefined,
  channels: [channel],
  hostName: host,
  webSocket: false,
  ssl: false,
  logger: { minLevel: "critical" },
});
client.onJoin((_, user) => report("joined", { user }));
client.onJoinFailure((_, reason) => report("error", { reason }));
client.onAuthenticationFailure((reason) => report("error", { reason }));
client.onMessage((_, user, text, message) => report("message", { id: message.id, user, name: message.userInfo.displayName, text, mod: message.userInfo.isMod }));
client.onMessageRemove((_, id, message) => report("deleted", { id, user: message.userName }));
client.onTimeout((_, user, secs) => report("timeout", { user, secs }));
client.onMessageFailed((_, reason) => report("notice", { id: reason }));
client.irc.onAnyMessage((message) => {
  if (message.command === "ROOMSTATE" && message.tags.has("slow") && !message.tags.has("subs-only")) {
    report("slow", { secs: Number(message.tags.get("slow")) });
  }
  if (message.command === "NOTICE") report("notice", { id: message.tags.get("msg-id"), text: message.text });
  if (message.command === "RECONNECT") report("reconnect");
});
// Commands of moderators go over the HTTP API of Twitch in this library; in chat they are texts.
const says = (text) => client.say(channel, text);
obey({
  say: ({ text }) => says(text),
  slow: ({ secs }) => says(`/slow ${secs}`),
  slowoff: () => says("/slowoff"),
  timeout: ({ user, secs }) => says(`/timeout ${user} ${secs} a test`),
  delete: ({ id }) => says(`/delete ${id}`),
});
client.connect();
