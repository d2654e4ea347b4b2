"""The package `irc` of PyPI as a bot: events as JSON lines on standard output, commands on standard input."""

import json
import sys
import threading

import irc.bot
import irc.client

HOST, PORT, CHANNEL, TOKEN = sys.argv[1:5]
CAPABILITIES = ("twitch.tv/tags", "twitch.tv/commands", "twitch.tv/membership")


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def tags(event):
    return {tag["key"]: tag["value"] for tag in event.tags}


class Bot(irc.bot.SingleServerIRCBot):
    def __init__(self):
        server = irc.bot.ServerSpec(HOST, int(PORT), f"oauth:{TOKEN}" if TOKEN else None)
        again = irc.bot.ExponentialBackoff(min_interval=0.3, max_interval=2)
        super().__init__([server], "bot" if TOKEN else "justinfan7", "bot", recon=again)

    def on_welcome(self, connection, event):
        connection.cap("REQ", *CAPABILITIES)
        connection.join(f"#{CHANNEL}")

    def on_join(self, connection, event):
        report("joined", user=event.source.nick)

    def on_pubmsg(self, connection, event):
        found = tags(event)
        name = found.get("display-name")
        report("message", id=found.get("id"), user=event.source.nick, name=name, text=event.arguments[0])

    def on_pubnotice(self, connection, event):
        report("notice", id=tags(event).get("msg-id"), text=event.arguments[0])

    def on_clearmsg(self, connection, event):
        report("deleted", id=tags(event)["target-msg-id"], user=tags(event)["login"])

    def on_clearchat(self, connection, event):
        secs = tags(event).get("ban-duration")
        report("timeout", user=(event.arguments or [None])[0], secs=int(secs) if secs else None)

    def on_roomstate(self, connection, event):
        found = tags(event)
        if "slow" in found and "subs-only" not in found:
            report("slow", secs=int(found["slow"]))

    def on_reconnect(self, connection, event):
        report("reconnect")
        connection.disconnect("asked to")


def text_of(command):
    match command["command"]:
        case "say":
            return command["text"]
        case "slow":
            return f"/slow {command['secs']}"
        case "timeout":
            return f"/timeout {command['user']} {command['secs']} a test"
        case "delete":
            return f"/delete {command['id']}"
        case other:
            return f"/{other}"


def obey(bot):
    for line in sys.stdin:
        command = json.loads(line)
        bot.connection.privmsg(f"#{CHANNEL}", text_of(command))
        report("done", command=command["command"])


bot = Bot()
threading.Thread(target=obey, args=(bot,), daemon=True).start()
bot.start()
