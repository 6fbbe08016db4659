"""An S3 server on the loopback that can be busy, slow or closed, and what to see of it without our own code."""

import logging
import threading
import time

import boto3
import requests
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request

_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class S3Server:
    """`with S3Server() as server:`; `env` is what a client needs to reach its bucket `bkt`."""

    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.env = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.busy = 0
        """So many of the next requests are answered SLOW_DOWN."""
        self.refused = 0
        """So many were."""
        self.slow_s = {}
        """Part of an object's name -> seconds that a write of it takes longer."""
        self.slowed = threading.Event()
        """Such a write has begun."""
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __call__(self, environ, start_response):
        if self.busy > 0:
            self.busy -= 1
            self.refused += 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(_BUSY)))])
            return [_BUSY]
        if environ["REQUEST_METHOD"] in ("PUT", "POST"):
            for part, seconds in self.slow_s.items():
                if part in environ["PATH_INFO"]:
                    self.slowed.set()
                    time.sleep(seconds)  # a slow network is what is to be shown
        return self.app(environ, start_response)

    def __enter__(self):
        self._thread.start()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket="bkt")
        return self

    def __exit__(self, *_):
        self.client.close()
        requests.post(f"{self.url}/moto-api/reset", timeout=30)
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def want_keys(self, wanted):
        """Whether requests are refused that no known key signed; off, all are served."""
        requests.post(f"{self.url}/moto-api/reset-auth", data="0" if wanted else "inf", timeout=30)

    def names(self, prefix=""):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bkt", Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ()) if not item["Key"].endswith("/")]

    def read(self, name):
        return self.client.get_object(Bucket="bkt", Key=name)["Body"].read()

    def write(self, name, data):
        self.client.put_object(Bucket="bkt", Key=name, Body=data)

    def delete(self, name):
        self.client.delete_object(Bucket="bkt", Key=name)
