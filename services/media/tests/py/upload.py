"""Uploads a file with the unmodified tuspy. Standard input has one JSON line; each event is one JSON line."""

import json
import sys

from tusclient import client
from tusclient.storage import filestorage


def say(event):
    print(json.dumps(event), flush=True)


wanted = json.loads(sys.stdin.readline())
tus = client.TusClient(wanted["endpoint"], headers={"Authorization": "Bearer " + wanted["token"]})
uploader = tus.uploader(
    wanted["file"],
    chunk_size=wanted["chunk"],
    metadata=wanted["metadata"],
    retries=40,
    retry_delay=0.25,
    store_url=True,
    url_storage=filestorage.FileStorage(wanted["storage"]),
    upload_checksum=True,
)
say({"resumes": uploader.offset > 0})
while uploader.offset < uploader.get_file_size():
    uploader.upload_chunk()
    say({"sent": uploader.offset})
say({"done": uploader.url})
