"""The list of everything the layer adds to ministack."""

import importlib

MODULES = (
    "appautoscaling",
    "autoscaling",
    "backup",
    "cloudfront",
    "cloudwatch",
    "cloudwatch_logs",
    "connect",
    "databases",
    "durability",
    "ec2",
    "ecr",
    "ecs",
    "iam",
    "identity",
    "kms",
    "rds",
    "retries",
    "secretsmanager",
    "sqs",
    "ssm",
    "tasks",
    "waf",
)


def install():
    """Imports every module above; each installs its wrappers as it is imported."""
    for name in MODULES:
        importlib.import_module(f"layer.{name}")
