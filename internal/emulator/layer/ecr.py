"""ECR: the scanning configuration of the registry, and which images it has."""

import json
import pathlib

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import ecr as service

from layer import processes
from layer.wrapping import add_operation, new_store, wrap

# How images are scanned ------------------------------------------------------
#
# Stock: the operations are unknown.
# AWS:   every registry has one configuration per region, at first BASIC
#        without rules.
# Needed: aws_ecr_registry_scanning_configuration.

_registries = new_store(service, "registry_scanning")
_THE_REGISTRY = "registry"


@add_operation(service, "PutRegistryScanningConfiguration")
def put_registry_scanning_configuration(request):
    configuration = {
        "scanType": request.get("scanType", "BASIC"),
        "rules": request.get("rules", []),
    }
    _registries[_THE_REGISTRY] = configuration
    return json_response({"registryScanningConfiguration": configuration})


@add_operation(service, "GetRegistryScanningConfiguration")
def get_registry_scanning_configuration(request):
    configuration = _registries.get(_THE_REGISTRY, {"scanType": "BASIC", "rules": []})
    return json_response({"registryId": get_account_id(), "scanningConfiguration": configuration})


# Images that are not there ---------------------------------------------------
#
# Stock: DescribeImages leaves them out.
# AWS:   it refuses.
# Needed: a release of a version that does not exist is refused.


@wrap(service, "_describe_images")
def describe_images(stock, request):
    repository = request.get("repositoryName", "")
    _add_program(repository)
    for wanted in request.get("imageIds") or []:
        if repository in service._repositories and not service._find_image(repository, wanted):
            name = json.dumps(wanted, separators=(",", ":"))
            message = (
                f"The image with imageId {name} does not exist within the repository with name "
                f"'{repository}' in the registry with id '{get_account_id()}'"
            )
            return error_response_json("ImageNotFoundException", message, 400)
    return stock(request)


# Programs as images ----------------------------------------------------------
#
# Stock: a repository has what was pushed to it.
# Here:  where tasks are processes nothing is pushed: the program is the image
#        latest, and the digest is that of the file.
# Needed: a release finds what it is to run.


@wrap(service, "_batch_get_image")
def batch_get_image(stock, request):
    _add_program(request.get("repositoryName", ""))
    return stock(request)


def _add_program(repository):
    program = pathlib.Path(processes.BINARIES, repository.rpartition("/")[2])
    if not processes.BINARIES or repository not in service._repositories or not program.is_file():
        return
    digest = processes.engine.images.get_registry_data(repository).id
    images = service._images.setdefault(repository, [])
    for image in images:
        image["imageTags"] = []
        image["imageId"].pop("imageTag", None)
    image = service._find_image(repository, {"imageDigest": digest})
    if image is None:
        image = {"imageDigest": digest, "imageId": {"imageDigest": digest}}
        images.append(image)
    image["imageTags"] = ["latest"]
    image["imageId"]["imageTag"] = "latest"
