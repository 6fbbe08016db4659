"""A folder in an S3 bucket: objects put and got whole, after some retries, and a sentence for what is wrong with it.

Endpoint and credentials come from the variables that all S3 tools read (ENVIRONMENT), here and on every worker.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

from trainer.errors import TrainingError, UsageError

if TYPE_CHECKING:
    from pyarrow import fs

SCHEME = "s3://"
ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
)
_ATTEMPTS = 5
"""Of each request, with growing waits between them: about 5 s of a storage that says SLOW_DOWN."""
_CHUNK_BYTES = 8 << 20
_WHY = {
    "NO_SUCH_BUCKET": "there is no such bucket; make it, or check the name and AWS_ENDPOINT_URL",
    "INVALID_ACCESS_KEY_ID": "the storage does not know this AWS_ACCESS_KEY_ID; set the right one",
    "SIGNATURE_DOES_NOT_MATCH": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID; set the right one",
    "ACCESS_DENIED": "the storage refuses it; the key needs to list, read, write and delete there",
    "NETWORK_CONNECTION": "nothing answers there; check AWS_ENDPOINT_URL and the network",
    "SLOW_DOWN": "the storage is too busy; try again later",
}


def is_url(place: Path | str) -> bool:
    """Whether a place is in S3; `s3:/bucket` is what a Path makes of an URL."""
    return str(place) == "s3:" or str(place).startswith("s3:/")


def environment() -> dict[str, str]:
    """The variables of this process that a worker needs to reach the same storage."""
    return {key: os.environ[key] for key in ENVIRONMENT if key in os.environ}


@dataclass(frozen=True)
class Bucket:
    """A folder in a bucket, small to pickle. Methods raise OSError where the storage fails in spite of retries.

    path: `bucket/prefix`, no slash at its ends.
    """

    path: str

    @classmethod
    def from_url(cls, url: Path | str) -> Bucket:
        """From `s3://bucket/prefix`. UsageError where that is none."""
        path = (url.as_posix() if isinstance(url, Path) else url).removeprefix("s3:").strip("/")
        if not is_url(url) or not path:
            raise UsageError(f"{url}: expected s3://BUCKET/FOLDER.")
        return cls(path)

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return SCHEME + self.path

    def at(self, *names: str) -> Bucket:
        """A folder within."""
        return Bucket("/".join((self.path, *names)))

    def put(self, name: str, data: bytes) -> None:
        """Write an object; readers see the old one or the whole new one."""
        with _filesystem().open_output_stream(f"{self.path}/{name}") as stream:
            stream.write(data)

    def upload(self, file: Path, name: str) -> None:
        """Write an object from a file."""
        with file.open("rb") as source, _filesystem().open_output_stream(f"{self.path}/{name}") as stream:
            while chunk := source.read(_CHUNK_BYTES):
                stream.write(chunk)

    def upload_folder(self, folder: Path, last: str) -> None:
        """Write the files of a local folder under its name, `last` after all others: with it the folder is whole."""
        names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != last)
        for name in (*names, last):
            self.upload(folder / name, f"{folder.name}/{name}")

    def get(self, name: str) -> bytes | None:
        """An object's bytes, None where there is none."""
        try:
            with _filesystem().open_input_file(f"{self.path}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def download(self, name: str, file: Path) -> None:
        """Write an object to a new file. FileNotFoundError where there is none."""
        with _filesystem().open_input_file(f"{self.path}/{name}") as stream, file.open("wb") as target:
            while chunk := stream.read(_CHUNK_BYTES):
                target.write(chunk)

    def objects(self) -> dict[str, Stamp]:
        """Name below this folder -> what changes when the object does, in order of names."""
        from pyarrow import fs

        try:
            # Not by allow_not_found: that would pass over a bucket that is not there, too.
            found = _filesystem().get_file_info(fs.FileSelector(self.path, recursive=True))
        except FileNotFoundError:
            return {}
        cut = len(self.path) + 1
        files = (info for info in found if info.type == fs.FileType.File)
        return dict(sorted((info.path[cut:], Stamp(info.size, info.mtime_ns)) for info in files))

    def stamp(self, name: str) -> Stamp | None:
        """What changes when an object does, None where there is none."""
        from pyarrow import fs

        info = _filesystem().get_file_info(f"{self.path}/{name}")
        return Stamp(info.size, info.mtime_ns) if info.type == fs.FileType.File else None

    def remove(self) -> None:
        """Remove all objects of this folder."""
        _filesystem().delete_dir(self.path)

    def check(self) -> None:
        """Write, read and list a small object.

        Raises:
            TrainingError: what does not work, and what to do.
        """
        name, data = f".check-{os.getpid()}", os.urandom(16)
        try:
            self.put(name, data)
            if self.get(name) != data or name not in self.objects():
                raise TrainingError(f"{self.url}: what is written there is not what is read; choose another --storage.")
            _filesystem().delete_file(f"{self.path}/{name}")
        except OSError as error:
            raise TrainingError(f"{self.url}: can't be used ({reason(error)}).") from None


@dataclass(frozen=True, order=True)
class Stamp:
    """Size in bytes and time of change of an object."""

    size: int
    changed_ns: int | None


def reason(error: OSError) -> str:
    """Why the storage failed, in words."""
    if error.strerror:
        return error.strerror
    said = str(error)
    for code, words in _WHY.items():
        if f"AWS Error {code}" in said:
            return words
    return said.split(" (Request ID")[0] or type(error).__name__


def scratch(bucket: Bucket, whose: str) -> Path:
    """A folder of this machine's disk for what is in a bucket: whose, `driver` or `worker`, as both may run here."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "carla-unet" / f"{whose}-{gethostname()}" / bucket.path


def _filesystem() -> fs.S3FileSystem:
    return _connected(tuple(sorted(environment().items())))


@functools.cache
def _connected(variables: tuple[tuple[str, str], ...]) -> fs.S3FileSystem:
    from pyarrow import fs

    values: Mapping[str, str] = dict(variables)
    options: dict[str, Any] = {}
    endpoint = values.get("AWS_ENDPOINT_URL_S3") or values.get("AWS_ENDPOINT_URL")
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
    region = values.get("AWS_REGION") or values.get("AWS_DEFAULT_REGION")
    if region:
        options["region"] = region
    if "AWS_CA_BUNDLE" in values:
        options["tls_ca_file_path"] = values["AWS_CA_BUNDLE"]
    return fs.S3FileSystem(
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        connect_timeout=5,
        request_timeout=30,
        **options,
    )
