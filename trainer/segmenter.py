"""Run a model artifact on a picture: the same resizing and the same argmax around torch, OpenVINO or ONNX Runtime.

One engine a process: every engine has a thread pool of its own, and with several of them on the same cores torch took
six times the CPU time a call. Opening an exported engine therefore sets torch, which then only resizes, to one thread.
"""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trainer.config import nearest
from trainer.dataset.packed import resize_nearest, resize_rgb
from trainer.enlarge import labels_at
from trainer.errors import ModelError, UsageError
from trainer.hardware import bf16_pays
from trainer.manifest import check_manifest, read_json
from trainer.model_dir import WEIGHTS, ModelInfo, load_info, load_model
from trainer.unet import UNet

ENGINES = ("torch", "torch-bf16", "onnx", "openvino", "openvino-bf16", "openvino-int8")
"""What `--engine` takes; all but torch are made by `export`."""
ENGINES_FOLDER, ENGINE_DESCRIPTION = "engines", "engine.json"
ENGINE_FORMAT = 1
Precision = Literal["auto", "fp32", "bf16", "int8"]
Device = Literal["auto", "cpu", "cuda"]

_COMPILED_SIZES = 4  # graphs of picture sizes that are kept; a drive has one, a folder of pictures a few
GRAPH_FILES = {"onnx": "model.onnx", "openvino": "model.xml"}


class Segmenter(ABC):
    """A model on an engine. info: what model.json says. engine: its name, precision included. folder: the model's."""

    info: ModelInfo
    engine: str
    folder: Path

    def segment(self, picture: np.ndarray) -> np.ndarray:
        """Class indices (H, W) uint8 of a picture (H, W, 3) uint8 RGB, at the picture's own size."""
        with torch.inference_mode():
            return labels_at(self._logits(self.shrink(picture)), picture.shape[:2]).cpu().numpy()

    def probabilities(self, picture: np.ndarray) -> np.ndarray:
        """Softmax (C, H, W) float32 of a picture (H, W, 3) uint8 RGB, at the picture's own size."""
        with torch.inference_mode():
            logits = self._logits(self.shrink(picture))
            logits = F.interpolate(logits, size=picture.shape[:2], mode="bilinear", align_corners=False)
            return torch.softmax(logits, dim=1)[0].contiguous().cpu().numpy()

    def shrink(self, picture: np.ndarray) -> np.ndarray:
        """The picture (h, w, 3) uint8 at the size that model.json asks for, by the filter of the training pictures.

        Raises:
            ModelError: not a (H, W, 3) uint8 picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
            raise ModelError(
                f"a picture of shape {picture.shape} and type {picture.dtype} can't be segmented; "
                "pass (H, W, 3) uint8 RGB."
            )
        preprocessing = self.info.preprocessing
        size = preprocessing.target(*picture.shape[:2])
        if size == picture.shape[:2]:
            return picture
        return (resize_rgb if preprocessing.resize == "antialias" else resize_nearest)(picture, size)

    @abstractmethod
    def _logits(self, picture: np.ndarray) -> Tensor:
        """(h, w, 3) uint8 -> (1, C, h, w) float32, channels_last."""


class TorchSegmenter(Segmenter):
    """PyTorch on the CPU or a GPU: channels_last, batch norms folded into the convolutions before them."""

    def __init__(self, net: UNet, info: ModelInfo, folder: Path, device: torch.device, bf16: bool):
        self.info, self.folder, self.device, self.bf16 = info, folder, device, bf16
        self.engine = f"torch-{'bf16' if bf16 else 'fp32'}" + ("" if device.type == "cpu" else f" ({device.type})")
        fold_norms(net)
        self.net: UNet = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _logits(self, picture: np.ndarray) -> Tensor:
        pictures = torch.from_numpy(_writable(picture)).permute(2, 0, 1)[None].to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits: Tensor = self.net(pictures)
        return logits.float().contiguous(memory_format=torch.channels_last)


class ExportedSegmenter(Segmenter):
    """A graph of `engines/`: takes (1, h, w, 3) uint8 with sides that fit the network, gives (1, h', w', C) logits."""

    def __init__(self, info: ModelInfo, folder: Path):
        self.info, self.folder = info, folder
        with torch.device("meta"):  # only its geometry is asked for
            self._geometry = UNet(info.network)

    def _logits(self, picture: np.ndarray) -> Tensor:
        height, width = picture.shape[:2]
        left, _, top, _ = self._geometry.border(height, width)
        logits = torch.from_numpy(self._infer(_writable(pad(picture, self._geometry))[None])).permute(0, 3, 1, 2)
        if self.info.network.padding == "valid":  # the convolutions ate the border
            left = top = 0
        return logits[..., top : top + height, left : left + width]

    @abstractmethod
    def _infer(self, pictures: np.ndarray) -> np.ndarray:
        """(1, h, w, 3) uint8 -> (1, h', w', C) float32."""


class OpenVinoSegmenter(ExportedSegmenter):
    """OpenVINO on the CPU. A graph is compiled for each picture size: fixed shapes run faster than open ones."""

    def __init__(self, info: ModelInfo, folder: Path, graph: Path, precision: str, threads: int | None):
        super().__init__(info, folder)
        openvino = import_extra("openvino")
        self._openvino, self._core, self._graph = openvino, openvino.Core(), graph
        self._config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if precision == "bf16" and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            self._config["INFERENCE_PRECISION_HINT"] = "bf16"
        elif precision == "bf16":
            precision = "fp32, no bf16 in this CPU"
        if threads is not None:
            self._config["INFERENCE_NUM_THREADS"] = threads
        self.engine = f"openvino-{precision}"
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def _infer(self, pictures: np.ndarray) -> np.ndarray:
        request = self._compiled.get(pictures.shape)
        if request is None:
            model = self._core.read_model(self._graph)
            model.reshape(list(pictures.shape))
            request = self._core.compile_model(model, "CPU", self._config).create_infer_request()
            self._compiled[pictures.shape] = request
            if len(self._compiled) > _COMPILED_SIZES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(pictures.shape)
        request.infer([self._openvino.Tensor(pictures, shared_memory=True)])
        # The memory is the request's: what `segment` returns is a copy.
        logits: np.ndarray = request.get_output_tensor(0).data
        return logits


class OnnxSegmenter(ExportedSegmenter):
    """ONNX Runtime, without spinning threads: those take the cores from whoever drives."""

    def __init__(self, info: ModelInfo, folder: Path, graph: Path, device: str, threads: int | None):
        super().__init__(info, folder)
        onnxruntime = import_extra("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        if device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        elif device == "cuda":
            raise UsageError("engine onnx: this onnxruntime has no CUDA; install onnxruntime-gpu or use --device cpu.")
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=providers)
        self._input = self._session.get_inputs()[0].name
        self.engine = "onnx-fp32" + (" (cuda)" if len(providers) > 1 else "")

    def _infer(self, pictures: np.ndarray) -> np.ndarray:
        logits: np.ndarray = self._session.run(None, {self._input: pictures})[0]
        return logits


def open_segmenter(
    model_dir: Path | str,
    engine: str = "torch",
    precision: Precision = "auto",
    threads: int | None = None,
    device: Device = "cpu",
) -> Segmenter:
    """Open a model artifact on an engine.

    engine: `torch`, `openvino`, `onnx`, or with its precision (`openvino-int8`). precision `auto`: torch takes bf16
    where the hardware has it, OpenVINO the fastest that was exported. threads: of the engine, its own choice by
    default. device `auto`: a GPU where there is one.

    Raises:
        ModelError: the model is not whole, or has no such engine, or one that was made from other weights.
        UsageError: an unknown engine, or one that this machine can't run.
    """
    folder = Path(model_dir)
    family, _, named = engine.partition("-")
    if engine not in ENGINES and not (family in ("torch", "openvino") and named == "fp32"):
        raise UsageError(f"there is no engine {engine!r}; {nearest(engine, ENGINES)}")
    if named and precision not in ("auto", named):
        raise UsageError(f"engine {engine} is {named}, not {precision}; leave one of the two out.")
    precision = named or precision  # type: ignore[assignment]
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads can't run anything; name 1 or more.")
    if family == "torch":
        return _open_torch(folder, precision, threads, device)
    info = load_info(folder)
    return open_engine(_find_engine(folder, family, precision), info, folder, threads, device)


def open_engine(
    path: Path, info: ModelInfo, folder: Path, threads: int | None = None, device: Device = "cpu"
) -> Segmenter:
    """Open one folder of `engines/` that belongs to the model in `folder`; errors as `open_segmenter`."""
    check_manifest(path, "exported engine")
    values = read_json(path / ENGINE_DESCRIPTION, "exported engine")
    if values.get("format") != ENGINE_FORMAT:
        raise ModelError(
            f"{path}: engine format {values.get('format')!r}; this version reads {ENGINE_FORMAT}, export again."
        )
    if values["model"]["weights_sha256"] != weights_hash(folder):
        raise ModelError(f"{path}: was exported from other weights than those of {folder}; export the model again.")
    return run_graph(path, values["engine"], info, folder, threads, device)


def run_graph(
    path: Path, engine: str, info: ModelInfo, folder: Path, threads: int | None = None, device: Device = "cpu"
) -> Segmenter:
    """The segmenter on the graph in `path`, sealed or not: `export` scores it before it seals it."""
    torch.set_num_threads(1)
    family, _, precision = engine.partition("-")
    if family == "onnx":
        return OnnxSegmenter(info, folder, path / GRAPH_FILES[family], device, threads)
    if device == "cuda":
        raise UsageError("engine openvino runs on the CPU; use --engine torch or onnx with --device cuda.")
    return OpenVinoSegmenter(info, folder, path / GRAPH_FILES[family], precision or "fp32", threads)


def fold_norms(net: UNet) -> None:
    """Fold each BatchNorm2d that follows a convolution into it, in place: the same function in half the passes."""
    for block in net.modules():
        if isinstance(block, nn.Sequential):
            for i in range(len(block) - 1):
                conv, norm = block[i], block[i + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    block[i], block[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()


def pad(picture: np.ndarray, net: UNet) -> np.ndarray:
    """(h, w, 3) uint8 with the border that `UNet.forward` adds, made in the same way but on bytes."""
    height, width = picture.shape[:2]
    left, right, top, bottom = net.border(height, width)
    mirror = net.config.padding == "valid" and max(left, right) < width and max(top, bottom) < height
    if left or right or top or bottom:
        picture = np.pad(picture, ((top, bottom), (left, right), (0, 0)), mode="reflect" if mirror else "edge")
    return np.ascontiguousarray(picture)


def weights_hash(folder: Path) -> str:
    """Sha256 of the model's weights, from its manifest."""
    manifest = read_json(folder / "manifest.json", "model artifact")
    return str(manifest["files"][WEIGHTS]["sha256"])


def _open_torch(folder: Path, precision: str, threads: int | None, device: str) -> Segmenter:
    if precision == "int8":
        raise UsageError("engine torch has no int8; export the model with --to openvino-int8 and use that engine.")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no CUDA GPU on this machine; use --device cpu.")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    has_bf16 = bf16_pays("cuda" if on_gpu else "cpu")
    if precision == "bf16" and not has_bf16:
        raise UsageError(
            f"engine torch-bf16: this {'GPU' if on_gpu else 'CPU'} has no bf16 instructions, so it would be slower "
            "than fp32; use --engine torch."
        )
    net, info = load_model(folder)
    if threads is not None:
        torch.set_num_threads(threads)
    bf16 = has_bf16 and precision in ("auto", "bf16")
    return TorchSegmenter(net, info, folder, torch.device("cuda" if on_gpu else "cpu"), bf16)


def _find_engine(folder: Path, family: str, precision: str) -> Path:
    """The engine's folder; for `auto` int8 before bf16 before fp32."""
    order = {"auto": ("int8", "bf16", "fp32"), "fp32": ("fp32",), "bf16": ("bf16",), "int8": ("int8",)}[precision]
    names = [family if p == "fp32" else f"{family}-{p}" for p in order]
    for name in names:
        if (folder / ENGINES_FOLDER / name).is_dir():
            return folder / ENGINES_FOLDER / name
    wanted = names[0] if names[0] in ENGINES else family
    raise ModelError(
        f"{folder}: has no {family if precision == 'auto' else names[0]} engine; "
        f"make one with `export --model {folder} --to {wanted}`."
    )


def _writable(picture: np.ndarray) -> np.ndarray:
    """The picture as torch and OpenVINO take it: a read-only or negatively strided array is copied."""
    fits = picture.flags.writeable and min(picture.strides) > 0
    return picture if fits else picture.copy()


def import_extra(name: str) -> Any:
    """An optional package, or one sentence that names the extra. OpenVINO and nncf report their use without asking."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # then its stub is taken: no network
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed; install it with `pip install carla-unet[export]`.") from None
