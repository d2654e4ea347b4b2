"""A small client of the API server."""

import json
import ssl
import urllib.error
import urllib.request

PLURALS = {"StatefulSet": "statefulsets", "Deployment": "deployments", "ReplicaSet": "replicasets"}


class Api:
    def __init__(self, url, token):
        self.url, self.token = url, token
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def open(self, method, path, body=None, kind="application/json", timeout=15):
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )
        return urllib.request.urlopen(request, context=self.context, timeout=timeout)

    def call(self, method, path, body=None, kind="application/json"):
        """Returns the answer. A refusal raises `urllib.error.HTTPError` with the server's reason."""
        try:
            with self.open(method, path, body, kind) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            error.msg = f"{method} {path}: {error.read().decode()[:500]}"
            raise

    def text(self, path):
        with self.open("GET", path) as answer:
            return answer.read().decode()

    def get(self, path):
        return self.call("GET", path)

    def items(self, path):
        return self.get(path)["items"]

    def find(self, path):
        """Returns an object; none when it does not exist."""
        try:
            return self.get(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def create(self, path, body):
        return self.call("POST", path, body)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def try_call(self, method, path, body=None, kind="application/json"):
        """Makes a call whose object may be gone or newer."""
        try:
            return self.call(method, path, body, kind)
        except urllib.error.HTTPError as error:
            if error.code not in (404, 409, 422):
                raise
            return None
