"""How the emulator starts, saves and ends."""

import pathlib
import subprocess
import tempfile
import time
import types
import unittest
from unittest import mock

from layer import __main__ as entry
from layer import lifetime, query
from layer.tests.support import LAYERED, STOCK, Emulator, GapCase, shared
from layer.wrapping import wrap

SAVE_SECONDS = 10
END_SECONDS = 10


class Durability(unittest.TestCase):
    """Killing must lose nothing that was written a moment before."""

    def written_then_killed(self, module, wait_for_save):
        """Whether a queue and a saved query outlive a SIGKILL."""
        with tempfile.TemporaryDirectory(prefix="emulator-state-") as state:
            emulator = Emulator(module, state=state).wait()
            emulator.client("sqs").create_queue(QueueName="durable")
            if module == LAYERED:
                emulator.client("logs").put_query_definition(name="q", queryString="f")
            if wait_for_save:
                self.wait_for(pathlib.Path(state, "sqs.json"), "durable")
                self.wait_for(pathlib.Path(state, "cloudwatch_logs.json"), "queryString")
            emulator.kill()
            restarted = Emulator(module, state=state).wait()
            queues = restarted.client("sqs").list_queues().get("QueueUrls", [])
            queries = []
            if module == LAYERED:
                logs = restarted.client("logs")
                queries = logs.describe_query_definitions()["queryDefinitions"]
            restarted.kill()
            return len(queues), len(queries)

    def wait_for(self, path, text):
        deadline = time.monotonic() + SAVE_SECONDS
        while not (path.exists() and text in path.read_text()):
            self.assertLess(time.monotonic(), deadline, f"{text} was not saved to {path.name}")
            time.sleep(0.02)

    def test_state_outlives_a_kill(self):
        self.assertEqual(self.written_then_killed(LAYERED, wait_for_save=True), (1, 1))

    def test_stock_state_does_not(self):
        self.assertEqual(self.written_then_killed(STOCK, wait_for_save=False), (0, 0))


class Repetition(GapCase):
    def twice(self, emulator, name, identities):
        """Makes a log group twice, as an SDK that did not get the first answer would."""
        client = emulator.client("logs")
        sent = iter(identities)

        def identify(request, **_):
            request.headers["amz-sdk-invocation-id"] = next(sent)

        client.meta.events.register("before-send.cloudwatch-logs", identify)
        try:
            for _ in identities:
                client.create_log_group(logGroupName=name)
        except client.exceptions.ResourceAlreadyExistsException:
            return "refused"
        finally:
            client.meta.events.unregister("before-send.cloudwatch-logs", identify)
        return "made"

    def test_of_a_request_gets_the_first_answer(self):
        self.assert_closed(lambda emulator: self.twice(emulator, "again", ["a", "a"]), "made")

    def test_is_told_from_a_second_request(self):
        layered = shared()[0]
        self.assertEqual(self.twice(layered, "another", ["b", "c"]), "refused")


class Lifetime(unittest.TestCase):
    def test_ends_with_the_program_that_started_it(self):
        emulator = Emulator(LAYERED, stdin=subprocess.PIPE, extra={lifetime.VARIABLE: "1"}).wait()
        self.addCleanup(emulator.kill)
        emulator.process.stdin.close()
        emulator.process.wait(timeout=END_SECONDS)


class Start(unittest.TestCase):
    def test_refuses_another_version_of_ministack(self):
        another = mock.patch("importlib.metadata.version", return_value="9.9.9")
        with another, self.assertRaisesRegex(SystemExit, "9.9.9.*tools/emulator.txt"):
            entry.check_version()


class Wrapping(unittest.TestCase):
    def test_replaces_a_function_and_its_place_in_dispatch_tables(self):
        module = types.ModuleType("service")
        module.handler = lambda: "stock"
        module.TABLE = {"Action": module.handler}
        wrap(module, "handler")(lambda stock: f"wrapped {stock()}")
        self.assertEqual([module.handler(), module.TABLE["Action"]()], ["wrapped stock"] * 2)

    def test_of_a_name_that_does_not_exist_fails(self):
        with self.assertRaises(AttributeError):
            wrap(types.ModuleType("service"), "gone")


class Query(unittest.TestCase):
    def test_structures_follow_the_numbers_not_the_order_of_the_form(self):
        form = {
            "Metrics.member.10.Id": ["j"],
            "Metrics.member.2.Id": ["b"],
            "Metrics.member.2.Dimensions.member.1.Name": ["n"],
        }
        self.assertEqual(
            query.structures(form, "Metrics"),
            [{"Id": "b", "Dimensions": [{"Name": "n"}]}, {"Id": "j"}],
        )

    def test_elements_are_escaped_and_nested(self):
        self.assertEqual(
            query.element("a", {"b": "<&>", "c": [True, 1], "d": None, "_e": "hidden"}),
            "<a><b>&lt;&amp;&gt;</b><c><member>true</member><member>1</member></c></a>",
        )
