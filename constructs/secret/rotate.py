"""Gives a secret a new random value, in the four steps that Secrets Manager calls one after the other, and again where one failed.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-lambda-function-overview.html
"""

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


def handler(event, context):
    import boto3  # the runtime has it; tests need none

    rotate(boto3.client("secretsmanager"), event)


def rotate(client, event):
    secret, version, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    if CURRENT in stages.get(version, []):
        return  # an earlier call has finished
    if PENDING not in stages.get(version, []):
        raise ValueError(f"version {version} of {secret} is not waiting to be rotated to: {stages}")
    steps = {"createSecret": create, "setSecret": nobody_to_tell, "testSecret": check, "finishSecret": finish}
    steps[step](client, secret, version, stages)


def create(client, secret, version, stages):
    try:
        client.get_secret_value(SecretId=secret, VersionId=version, VersionStage=PENDING)
    except client.exceptions.ResourceNotFoundException:
        value = client.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"]
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=version, SecretString=value, VersionStages=[PENDING]
        )


def nobody_to_tell(client, secret, version, stages):
    """The services that read the secret are the only ones who know it."""


def check(client, secret, version, stages):
    value = client.get_secret_value(SecretId=secret, VersionId=version, VersionStage=PENDING)["SecretString"]
    if len(value) != 64:
        raise ValueError(f"version {version} of {secret} has {len(value)} characters, not 64")


def finish(client, secret, version, stages):
    change = {"SecretId": secret, "VersionStage": CURRENT, "MoveToVersionId": version}
    for other, labels in stages.items():
        if CURRENT in labels:
            change["RemoveFromVersionId"] = other  # it becomes AWSPREVIOUS
    client.update_secret_version_stage(**change)
