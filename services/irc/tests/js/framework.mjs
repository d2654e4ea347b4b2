// irc-framework as a bot: an ordinary IRC client with the capabilities of IRCv3.
import IRC from "irc-framework";
import { channel, host, obey, port, report, token } from "./report.mjs";

const client = new IRC.Client();
client.requestCap(["twitch.tv/tags", "twitch.tv/commands"]);
client.on("registered", () => client.join(`#${channel}`));
client.on("join", ({ nick }) => nick === client.user.nick && report("joined", { user: nick }));
client.on("message", ({ type, nick, message, tags }) => {
  if (type === "privmsg") report("message", { id: tags.id, user: nick, name: tags["display-name"], text: message, time: tags.time });
  if (type === "notice") report("notice", { id: tags["msg-id"], text: message });
});
client.on("unknown command", ({ command, params, tags }) => {
  if (command === "CLEARMSG") report("deleted", { id: tags["target-msg-id"], user: tags.login });
  if (command === "CLEARCHAT") report("timeout", { user: params[1], secs: Number(tags["ban-duration"]) });
  if (command === "ROOMSTATE" && tags.slow && !tags["subs-only"]) report("slow", { secs: Number(tags.slow) });
  if (command === "RECONNECT") {
    report("reconnect");
    client.connection.end();
  }
});
const says = (text) => client.say(`#${channel}`, text);
obey({
  say: ({ text }) => says(text),
  slow: ({ secs }) => says(`/slow ${secs}`),
  slowoff: () => says("/slowoff"),
  timeout: ({ user, secs }) => says(`/timeout ${user} ${secs} a test`),
  delete: ({ id }) => says(`/delete ${id}`),
});
client.connect({
  host,
  port: Number(port),
  nick: token ? "bot" : "justinfan7",
  username: "bot",
  gecos: "bot",
  password: token ? `oauth:${token}` : undefined,
  enable_echomessage: false,
  auto_reconnect: true,
  auto_reconnect_wait: 300,
  auto_reconnect_max_wait: 1000,
  auto_reconnect_max_retries: 60,
});
