"""A job server for tests: the part of Ray's REST interface that `train --submit` uses, running each job as a process here.

Routes, answers and states are those of Ray 2.60's dashboard (dashboard/modules/job/job_head.py); there is no cluster in it.
"""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class JobsOfOneMachine:
    """`with JobsOfOneMachine(folder, token) as server:`; `url`; what was sent there is in `packages` and `submitted`."""

    def __init__(self, folder, token=None, env=None):
        self.folder, self.token, self.env = folder, token, os.environ | (env or {})
        self.packages, self.submitted, self.processes, self.stopped = {}, {}, {}, set()
        self.closed = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            do_PUT = do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            code, value = 401, "Unauthorized"
        else:
            code, value = self.route(request.command, request.path.strip("/").split("/"), body)
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        request.send_response(code)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def route(self, method, parts, body):
        match method, *parts:
            case "GET", "api", "version":
                return 200, {"version": "4", "ray_version": "2.60.0", "ray_commit": "", "session_name": "s"}
            case "GET", "api", "packages", "gcs", name:
                return (200, "") if name in self.packages else (404, f"Package gcs://{name} does not exist")
            case "PUT", "api", "packages", "gcs", name:
                self.packages[name] = body
                return 200, ""
            case "POST", "api", "jobs":
                return 200, {"job_id": self.start(json.loads(body)), "submission_id": json.loads(body)["submission_id"]}
            case "GET", "api", "jobs", job:
                return 200, {"type": "SUBMISSION", "submission_id": job} | self.state(job)
            case "GET", "api", "jobs", job, "logs":
                return 200, {"logs": (self.folder / f"{job}.log").read_text()}
            case "POST", "api", "jobs", job, "stop":
                self.stopped.add(job)
                self.processes[job].send_signal(signal.SIGTERM)
                return 200, {"stopped": True}
        return 404, "404: Not Found"

    def start(self, wanted):
        job, place = wanted["submission_id"], self.folder / wanted["submission_id"]
        package = self.packages[wanted["runtime_env"]["working_dir"].removeprefix("gcs://")]
        zipfile.ZipFile(io.BytesIO(package)).extractall(place)
        env = self.env | wanted["runtime_env"]["env_vars"]
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        env.pop("PYTHONPATH", None)  # the package must be enough
        with (self.folder / f"{job}.log").open("w") as log:
            self.processes[job] = subprocess.Popen(
                f"exec {wanted['entrypoint']}", shell=True, cwd=place, env=env, stdout=log, stderr=subprocess.STDOUT
            )
        self.submitted[job] = wanted
        return job

    def state(self, job):
        code = self.processes[job].poll()
        if code is None:
            return {"status": "RUNNING", "message": None, "driver_exit_code": None}
        if job in self.stopped:
            return {"status": "STOPPED", "message": "Job was intentionally stopped.", "driver_exit_code": None}
        if code == 0:
            return {"status": "SUCCEEDED", "message": "Job finished successfully.", "driver_exit_code": 0}
        message = (
            f"Job entrypoint command failed with exit code {code}, last available logs (truncated to 20,000 chars):"
        )
        return {"status": "FAILED", "message": message, "driver_exit_code": code}
