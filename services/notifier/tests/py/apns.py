"""Sends notifications with the unmodified aioapns. Standard input has one JSON line; each result is one JSON line."""

import asyncio
import json
import ssl
import sys

from aioapns import APNs, NotificationRequest, PushType
from aioapns.connection import APNsProductionClientProtocol


async def main():
    wanted = json.loads(sys.stdin.readline())
    # The library connects to Apple's name; its classes have the name and the port as attributes.
    APNsProductionClientProtocol.APNS_SERVER = "localhost"
    APNsProductionClientProtocol.APNS_PORT = wanted["port"]
    tls = ssl.create_default_context(cafile=wanted["ca"])
    tls.set_alpn_protocols(["h2"])
    with open(wanted["key"]) as file:
        key = file.read()
    apns = APNs(key=key, key_id="KEY", team_id="TEAM", topic=wanted["topic"], max_connection_attempts=1, ssl_context=tls)
    for note in wanted["notes"]:
        request = NotificationRequest(
            device_token=note["token"],
            message={"aps": {"alert": note["text"], "badge": 3}},
            time_to_live=60,
            priority=note.get("priority"),
            collapse_key=note.get("collapse"),
            push_type=PushType.ALERT,
        )
        result = await asyncio.wait_for(apns.send_notification(request), 10)
        has_id = result.notification_id == request.notification_id
        print(json.dumps([result.status, result.description, result.timestamp, has_id]), flush=True)
    apns.pool.close()


asyncio.run(main())
