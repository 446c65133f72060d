"""Tasks and databases that are processes of this machine."""

import functools
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from layer.tests.support import ACCOUNT, LAYERED, REGION, Emulator

SECONDS = 20
LOG_GROUP = "/services"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop"

# What services are: they listen on PORT, print, end at SIGTERM and know "-health".
SERVICE = f"""#!{sys.executable} -IS
import http.server, json, os, signal, sys, time, urllib.request

PORT = int(os.environ["PORT"])
HEALTH = f"http://127.0.0.1:{{PORT}}/healthz"
GREETING = "hello"

match sys.argv[1:]:
    case ["-health"]:
        urllib.request.urlopen(HEALTH)
        sys.exit()
    case ["exit", code]:
        print("exits with", code)
        sys.exit(int(code))

class Handler(http.server.BaseHTTPRequestHandler):
    sick = False

    def do_GET(self):
        if self.path == "/sick":
            Handler.sick = True
        if self.path == "/healthz" and Handler.sick:
            return self.send_error(500)
        called = self.path == "/call" and urllib.request.urlopen(os.environ["SERVICE_OTHER_URL"]).read().decode()
        body = json.dumps(dict(pid=os.getpid(), greeting=GREETING, called=called, environment=dict(os.environ)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass

def stop(*_):
    print("stopping", flush=True)
    time.sleep(float(os.environ.get("LINGER", 0)))
    print("stopped", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, stop)
server = http.server.ThreadingHTTPServer(("", PORT), Handler)
print("listening", flush=True)
server.serve_forever()
"""


class Machine(Emulator):
    """An emulator that has the programs ``orders`` and ``other``."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="emulator-programs-")
        self.programs = pathlib.Path(self._folder.name, "programs")
        self.state = pathlib.Path(self._folder.name, "state")
        self.programs.mkdir()
        for name in ("orders", "other"):
            self.write(name, SERVICE)
        self.begin()

    def begin(self):
        extra = {"LAYER_BINARIES": str(self.programs), "RDS_PERSIST": "1"}
        super().__init__(LAYERED, state=self.state, extra=extra)
        self.wait()

    def write(self, name, text):
        fresh = self.programs / f"{name}.new"
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.rename(self.programs / name)

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=SECONDS)
        self._own.cleanup()

    def kill(self):
        super().kill()
        self._folder.cleanup()

    def output(self):
        return self._log.read_text()

    def log(self, task_arn):
        events = self.client("logs").get_log_events(
            logGroupName=LOG_GROUP, logStreamName=f"ecs/app/{task_arn.rpartition('/')[2]}"
        )["events"]
        return [event["message"] for event in events]


def eventually(read, accept):
    """What read returns as soon as it is accepted."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            found = read()
            if accept(found):
                return found
            problem = found
        except (OSError, ClientError) as error:
            problem = error
            if isinstance(error, urllib.error.HTTPError):
                error.close()
        if time.monotonic() > deadline:
            raise AssertionError(f"after {SECONDS} s: {problem!r}")
        time.sleep(0.05)


def running(text):
    """The processes that have the text in their command."""
    listed = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if text in line and "python -m" not in line]


class MachineCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = Machine()
        cls.addClassCleanup(cls.emulator.kill)

    def setUp(self):
        self.ecs = self.emulator.client("ecs")
        self.ecs.create_cluster(clusterName="shop")
        if not self.emulator.client("logs").describe_log_groups()["logGroups"]:
            self.emulator.client("logs").create_log_group(logGroupName=LOG_GROUP)

    def define(self, name, **more):
        container = {
            "name": "app",
            "image": f"{REGISTRY}/{name}:latest",
            "essential": True,
            "memory": 128,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": LOG_GROUP,
                    "awslogs-region": REGION,
                    "awslogs-stream-prefix": "ecs",
                },
            },
            "portMappings": [{"containerPort": 8080, "name": "http"}],
            "environment": [{"name": "PORT", "value": "8080"}],
            "healthCheck": {"command": ["CMD", "/app", "-health"], "interval": 1, "retries": 1},
            **more,
        }
        return self.ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            runtimePlatform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
            containerDefinitions=[container],
        )["taskDefinition"]["taskDefinitionArn"]

    def serve(self, name, service=None, definition=None, **more):
        """Starts a service behind a load balancer, and returns how it is asked."""
        service = service or name
        elb = self.emulator.client("elbv2")
        group = elb.create_target_group(
            Name=service, Protocol="HTTP", Port=8080, TargetType="ip", VpcId="vpc-1"
        )["TargetGroups"][0]["TargetGroupArn"]
        balancer = elb.create_load_balancer(Name=service)["LoadBalancers"][0]
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        self.ecs.create_service(
            cluster="shop",
            serviceName=service,
            taskDefinition=definition or self.define(name),
            desiredCount=1,
            launchType="FARGATE",
            loadBalancers=[
                {"targetGroupArn": group, "containerName": "app", "containerPort": 8080}
            ],
            **more,
        )
        self.addCleanup(self.ecs.delete_service, cluster="shop", service=service, force=True)

        def ask(path="/"):
            scope = f"{ACCOUNT}/20260101/{REGION}/elasticloadbalancing/aws4_request"
            headers = {
                "Host": balancer["DNSName"],
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, "
                "SignedHeaders=host, Signature=0",
            }
            request = urllib.request.Request(self.emulator.url + path, headers=headers)
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return json.load(response)

        return ask

    def tasks(self, service):
        arns = self.ecs.list_tasks(cluster="shop", serviceName=service)["taskArns"]
        if not arns:
            return []
        return self.ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"]

    def completed(self, service):
        def read():
            return self.ecs.describe_services(cluster="shop", services=[service])["services"][0]

        def accept(record):
            first = record["deployments"][0]
            return first["rolloutState"] == "COMPLETED" and record["runningCount"] == 1

        return eventually(read, accept)


class Services(MachineCase):
    def test_is_reached_logs_is_well_and_is_replaced(self):
        ask = self.serve("orders")
        first = eventually(ask, bool)
        self.completed("orders")
        (task,) = self.tasks("orders")
        self.assertEqual(task["healthStatus"], "HEALTHY")
        self.assertIn("listening", self.emulator.log(task["taskArn"]))
        environment = first["environment"]
        self.assertEqual(environment["AWS_ENDPOINT_URL"], self.emulator.url)
        self.assertIn("CERTIFICATE", pathlib.Path(environment["PGSSLROOTCERT"]).read_text())

        os.kill(first["pid"], signal.SIGKILL)
        second = eventually(ask, lambda answer: answer["pid"] != first["pid"])
        ask("/sick")
        third = eventually(ask, lambda answer: answer["pid"] != second["pid"])

        rebuilt = SERVICE.replace("hello", "rebuilt")
        self.emulator.write("orders", rebuilt)
        (before,) = self.tasks("orders")
        os.kill(third["pid"], signal.SIGKILL)
        replaced = eventually(ask, lambda answer: answer["pid"] != third["pid"])
        self.assertEqual(replaced["greeting"], "hello", "a deployment keeps its image")
        self.ecs.update_service(cluster="shop", service="orders", forceNewDeployment=True)
        eventually(ask, lambda answer: answer["greeting"] == "rebuilt")
        digests = {task["containers"][0]["imageDigest"] for task in self.tasks("orders")}
        self.assertTrue(digests - {before["containers"][0]["imageDigest"]})

    def test_calls_another_by_its_name(self):
        connect = {
            "enabled": True,
            "namespace": "internal",
            "services": [
                {"portName": "http", "clientAliases": [{"port": 80, "dnsName": "other"}]}
            ],
        }
        self.serve("other", serviceConnectConfiguration=connect)
        environment = [{"name": "SERVICE_OTHER_URL", "value": "http://other"}]
        definition = self.define("orders", environment=environment)
        ask = self.serve("orders", "caller", definition)
        answer = eventually(lambda: ask("/call"), bool)
        other = json.loads(answer["called"])
        self.assertNotEqual(other["pid"], answer["pid"])
        os.kill(other["pid"], signal.SIGKILL)
        eventually(lambda: json.loads(ask("/call")["called"])["pid"], lambda pid: pid != other["pid"])

    def stopped(self, linger, timeout):
        """The log of a task that is told to stop, and whether its process is gone."""
        environment = [{"name": "LINGER", "value": str(linger)}]
        definition = self.define("orders", environment=environment, stopTimeout=timeout)
        task = self.ecs.run_task(cluster="shop", taskDefinition=definition)["tasks"][0]["taskArn"]
        eventually(lambda: self.emulator.log(task), lambda log: "listening" in log)
        self.ecs.stop_task(cluster="shop", task=task)
        return lambda: self.emulator.log(task)

    def test_has_its_stop_timeout(self):
        in_time = self.stopped(linger=0.5, timeout=10)
        eventually(in_time, lambda log: "stopped" in log)
        too_late = self.stopped(linger=5, timeout=2)
        eventually(too_late, lambda log: "stopping" in log)
        time.sleep(3.5)
        self.assertNotIn("stopped", too_late())

    def run_task(self, name, command):
        task = self.ecs.run_task(
            cluster="shop",
            taskDefinition=self.define(name),
            overrides={"containerOverrides": [{"name": "app", "command": command}]},
        )["tasks"][0]["taskArn"]

        def read():
            return self.ecs.describe_tasks(cluster="shop", tasks=[task])["tasks"][0]

        return eventually(read, lambda found: found["lastStatus"] == "STOPPED")

    def test_ends_with_its_exit_code(self):
        task = self.run_task("orders", ["exit", "3"])
        self.assertEqual(task["containers"][0]["exitCode"], 3)
        eventually(lambda: self.emulator.log(task["taskArn"]), lambda log: "exits with 3" in log)

    def test_a_program_that_is_missing_is_a_missing_image(self):
        task = self.run_task("absent", [])
        self.assertEqual(task["stopCode"], "TaskFailedToStart")
        self.assertTrue(task["stoppedReason"].startswith("CannotPullContainerError: pull image"))
        self.assertIn("/absent:latest: not found", task["stoppedReason"])

    def test_an_image_is_the_program_by_its_digest(self):
        ecr = self.emulator.client("ecr")
        ecr.create_repository(repositoryName="shop/image")
        latest = [{"imageTag": "latest"}]
        seen = []
        for text in (SERVICE, SERVICE.replace("hello", "newer")):
            self.emulator.write("image", text)
            found = ecr.describe_images(repositoryName="shop/image", imageIds=latest)
            seen.append(found["imageDetails"][0]["imageDigest"])
            self.assertEqual(seen[-1], "sha256:" + hashlib.sha256(text.encode()).hexdigest())
        old = ecr.batch_get_image(repositoryName="shop/image", imageIds=[{"imageDigest": seen[0]}])
        self.assertEqual(len(old["images"]), 1)
        ask = self.serve("image", definition=self.define("image", image=f"{REGISTRY}/image@{seen[0]}"))
        self.assertEqual(eventually(ask, bool)["greeting"], "hello")

    def test_a_deployment_that_fails_is_rolled_back_and_says_so(self):
        circuit = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        self.serve("orders", "broken", deploymentConfiguration=circuit)
        before = self.completed("broken")["deployments"][0]["id"]
        self.ecs.update_service(
            cluster="shop", service="broken", taskDefinition=self.define("orders", command=["exit", "3"])
        )
        seen = {}

        def read():
            service = self.ecs.describe_services(cluster="shop", services=["broken"])["services"][0]
            for deployment in service["deployments"]:
                reason = deployment["rolloutStateReason"].replace(deployment["id"], "ID")
                seen.setdefault(deployment["id"], []).append((deployment["rolloutState"], reason))
            return service

        over = eventually(
            read,
            lambda found: len(seen) == 2
            and [d["id"] for d in found["deployments"]] == [before]
            and found["deployments"][0]["rolloutState"] == "COMPLETED",
        )
        (failed,) = set(seen) - {before}
        reason = "ECS deployment circuit breaker: tasks failed to start."
        self.assertEqual(seen[failed][-1], ("FAILED", reason))
        reason = "ECS deployment circuit breaker: rolling back to deploymentId ID."
        self.assertIn(("IN_PROGRESS", reason), seen[before])
        events = [event["message"] for event in over["events"]]
        self.assertIn(
            f"(service broken) (deployment {failed}) deployment failed: tasks failed to start.", events
        )
        self.assertIn(f"(service broken) rolling back to (deployment {before}).", events)


class Databases(MachineCase):
    def test_is_postgresql_as_on_rds(self):
        rds = self.emulator.client("rds")
        rds.create_db_instance(
            DBInstanceIdentifier="shop",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            EngineVersion="17",
            DBName="shop",
            MasterUsername="master",
            MasterUserPassword="it's a secret",
            AllocatedStorage=20,
        )
        instance = self.available(rds)
        self.assertEqual(instance["Endpoint"]["Port"], 5432)
        self.address = instance["Endpoint"]["Address"]

        def ask(sql, user="master", tls="verify-full"):
            return self.psql(sql, user, tls)

        refused = ask("SELECT 1", tls="disable")
        self.assertIn("no pg_hba.conf entry", refused.stderr)
        granted = ask("CREATE ROLE orders LOGIN; GRANT rds_iam TO orders; CREATE TABLE kept (n int)")
        self.assertEqual(granted.returncode, 0, granted.stderr)
        self.assertEqual(ask("SELECT current_user", user="orders").stdout.strip(), "orders")

        rds.stop_db_instance(DBInstanceIdentifier="shop")
        self.assert_stopped()
        rds.start_db_instance(DBInstanceIdentifier="shop")
        self.assertEqual(ask("SELECT count(*) FROM kept").stdout.strip(), "0")

        self.emulator.end()
        self.assert_stopped()
        self.emulator.begin()
        rds = self.emulator.client("rds")
        self.assertEqual(self.available(rds)["Endpoint"]["Address"], self.address)
        self.assertEqual(ask("SELECT count(*) FROM kept").stdout.strip(), "0")

        rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)
        self.assert_stopped()
        self.assertEqual(list((self.emulator.state / "databases").iterdir()), [])

    def assert_stopped(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((self.address, 5432))

    def available(self, rds):
        def read():
            return rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]

        def accept(instance):
            self.assertNotEqual(instance["DBInstanceStatus"], "failed", self.emulator.output())
            return instance["DBInstanceStatus"] == "available"

        return eventually(read, accept)

    def psql(self, sql, user, tls):
        authority = self.emulator.state / "ca.pem"
        with urllib.request.urlopen(f"{self.emulator.url}/_ministack/rds/ca.pem") as response:
            authority.write_bytes(response.read())
        settings = f"host={self.address} dbname=shop user={user} sslmode={tls} sslrootcert={authority}"
        return subprocess.run(
            ["psql", settings, "--no-psqlrc", "--tuples-only", "--command", sql],
            env={**os.environ, "PGPASSWORD": "it's a secret" if user == "master" else "a token"},
            capture_output=True,
            text=True,
        )


class Ends(MachineCase):
    """No process outlives the emulator."""

    def ends(self, end):
        definition = self.define("orders", environment=[{"name": "LINGER", "value": "0.2"}])
        task = self.ecs.run_task(cluster="shop", taskDefinition=definition)["tasks"][0]["taskArn"]
        eventually(lambda: self.emulator.log(task), lambda log: "listening" in log)
        programs = str(self.emulator.state / "programs")
        self.assertTrue(running(programs))
        end()
        eventually(lambda: running(programs), lambda found: not found)

    def test_when_it_is_told_to_end_and_when_it_is_killed(self):
        self.ends(self.emulator.end)
        self.emulator.begin()
        self.setUp()
        self.ends(functools.partial(Emulator.kill, self.emulator))
