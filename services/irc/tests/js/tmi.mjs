// tmi.js as a moderator's bot.
import tmi from "tmi.js";
import { channel, host, obey, port, report, token } from "./report.mjs";

const client = new tmi.Client({
  options: { joinInterval: 300, skipUpdatingEmotesets: true },
  connection: { server: host, port: Number(port), secure: false, reconnect: true, reconnectInterval: 300 },
  // The library writes passwords in small letters, so the token goes in hexadecimal.
  identity: token ? { username: "bot", password: Buffer.from(token).toString("hex") } : {},
  channels: [channel],
  logger: { info() {}, warn() {}, error() {}, setLevel() {} },
});
client.on("join", (_, user, self) => self && report("joined", { user }));
client.on("reconnect", () => report("reconnect"));
client.on("slowmode", (_, on, secs) => report("slow", { secs: Number(secs) }));
client.on("messagedeleted", (_, user, text, tags) => report("deleted", { user, text, id: tags["target-msg-id"] }));
client.on("timeout", (_, user, reason, secs) => report("timeout", { user, secs: Number(secs) }));
client.on("cheer", (_, tags, text) => report("cheer", { bits: Number(tags.bits), text }));
client.on("usernotice", (kind, _, tags) => report("usernotice", { kind, text: tags["system-msg"] }));
client.on("notice", (_, id, text) => report("notice", { id, text }));
client.on("message", (_, tags, text, self) => {
  if (!self) {
    const { id, username, mod, badges } = tags;
    report("message", { id, user: username, name: tags["display-name"], text, mod, badges });
  }
});
obey({
  say: ({ text }) => client.say(channel, text),
  slow: ({ secs }) => client.slow(channel, secs),
  slowoff: () => client.slowoff(channel),
  timeout: ({ user, secs }) => client.timeout(channel, user, secs, "a test"),
  ban: ({ user }) => client.ban(channel, user, "a test"),
  unban: ({ user }) => client.unban(channel, user),
  delete: ({ id }) => client.deletemessage(channel, id),
  clear: () => client.clear(channel),
  muteall: () => client.subscribers(channel),
  mutealloff: () => client.subscribersoff(channel),
});
client.connect().catch((error) => report("error", { reason: String(error) }));
