"""The cluster examples: fields that their programs document, of the right types, and commands that this program takes."""

import shlex

import pytest
import tyro
import yaml

from trainer.config import configs_dir
from trainer.request import parse_workers
from trainer.train_cli import TrainArguments

# KubeRay's API reference, ray.io/v1 (https://ray-project.github.io/kuberay/reference/api/): what the example uses.
RAY_JOB_SPEC = {
    "entrypoint": str,
    "submissionMode": ("K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"),
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "activeDeadlineSeconds": int,
    "backoffLimit": int,
    "rayClusterSpec": dict,
}
RAY_CLUSTER_SPEC = {
    "rayVersion": str,
    "enableInTreeAutoscaling": bool,
    "authOptions": dict,
    "headGroupSpec": dict,
    "workerGroupSpecs": list,
}
AUTH_OPTIONS = {"mode": ("disabled", "token")}
HEAD_GROUP_SPEC = {"rayStartParams": dict, "template": dict}
WORKER_GROUP_SPEC = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": dict,
    "template": dict,
}
POD_SPEC = {"containers": list, "volumes": list}
CONTAINER = {"name": str, "image": str, "resources": dict, "volumeMounts": list}


def check(values, fields, where):
    for name, value in values.items():
        assert name in fields, f"{where}.{name} is no field that KubeRay documents"
        kind = fields[name]
        assert value in kind if isinstance(kind, tuple) else type(value) is kind, f"{where}.{name}: {value!r}"


@pytest.fixture
def job():
    return yaml.safe_load((configs_dir() / "cluster" / "rayjob.yaml").read_text(encoding="utf-8"))


def pods(job):
    cluster = job["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_every_field_is_documented(job):
    assert job["apiVersion"] == "ray.io/v1" and job["kind"] == "RayJob" and set(job) == {
        "apiVersion", "kind", "metadata", "spec",
    }  # fmt: skip
    check(job["spec"], RAY_JOB_SPEC, "spec")
    cluster = job["spec"]["rayClusterSpec"]
    check(cluster, RAY_CLUSTER_SPEC, "rayClusterSpec")
    check(cluster["authOptions"], AUTH_OPTIONS, "authOptions")
    check(cluster["headGroupSpec"], HEAD_GROUP_SPEC, "headGroupSpec")
    for group in cluster["workerGroupSpecs"]:
        check(group, WORKER_GROUP_SPEC, "workerGroupSpecs")
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert all(isinstance(v, str) for v in group["rayStartParams"].values())
    assert all(isinstance(v, str) for v in cluster["headGroupSpec"]["rayStartParams"].values())
    for pod in pods(job):
        check(pod, POD_SPEC, "template.spec")
        for container in pod["containers"]:
            check(container, CONTAINER, "containers")


def test_all_pods_run_one_image_and_share_the_volume_that_the_command_names(job):
    command, verb, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (command, verb) == ("carla-unet", "train")
    parsed = tyro.cli(TrainArguments, args=arguments)
    containers = [container for pod in pods(job) for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for pod in pods(job):
        claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]}
        mounts = {m["mountPath"]: claims[m["name"]] for c in pod["containers"] for m in c["volumeMounts"]}
        assert mounts == {"/data": "carla-unet"}
    assert all(str(path).startswith("/data/") for path in (*parsed.data, parsed.storage))
    fewest, most = parse_workers(parsed.workers)
    group = job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    assert (fewest, most) == (group["minReplicas"], group["maxReplicas"])
    cpus = group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
    assert int(cpus) >= parsed.threads


def test_the_token_fences_the_cluster_and_a_retry_can_resume(job):
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert job["spec"]["backoffLimit"] >= 1 and job["spec"]["shutdownAfterJobFinishes"]


@pytest.fixture
def machines():
    return yaml.safe_load((configs_dir() / "cluster" / "ray-up.yaml").read_text(encoding="utf-8"))


def test_ray_takes_the_machines_as_they_are(machines):
    """By the schema and the checks of the installed Ray."""
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(machines))
    assert machines["min_workers"] == machines["max_workers"] == len(machines["provider"]["worker_ips"])
    with pytest.raises(ValidationError, match="'ssh_users'"):
        validate_config(prepare_config(machines | {"auth": {"ssh_users": "trainer"}}))


def test_all_machines_start_ray_behind_the_token(machines):
    starts = [machines[f"{kind}_start_ray_commands"][-1] for kind in ("head", "worker")]
    assert all("RAY_AUTH_MODE=token ray start" in command for command in starts)
    assert "~/.ray/auth_token" in machines["file_mounts"]
