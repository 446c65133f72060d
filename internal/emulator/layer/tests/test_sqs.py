import itertools
import json
import time

from botocore.exceptions import ClientError

from layer.tests.support import GapCase, shared, subset

_numbers = itertools.count()


def arn(sqs, url):
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return attributes["Attributes"]["QueueArn"]


class Pair:
    """A queue, its dead letters, and messages that died in it."""

    def __init__(self, emulator, messages, fifo=False):
        self.sqs = emulator.client("sqs")
        name, end = f"queue-{next(_numbers)}", ".fifo" if fifo else ""
        common = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        group = {"MessageGroupId": "g"} if fifo else {}
        self.dead = self.sqs.create_queue(QueueName=f"{name}-dead{end}", Attributes=common)
        self.dead = self.dead["QueueUrl"]
        self.dead_arn = arn(self.sqs, self.dead)
        policy = json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": 1})
        self.url = self.sqs.create_queue(
            QueueName=name + end,
            Attributes={**common, "RedrivePolicy": policy, "VisibilityTimeout": "0"},
        )["QueueUrl"]
        for number in range(messages):
            self.sqs.send_message(QueueUrl=self.url, MessageBody=f"m{number}", **group)
        while self.count(self.dead) < messages:
            self.receive()

    def receive(self):
        received = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return received.get("Messages", [])

    def count(self, url):
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    def move(self, **more):
        return self.sqs.start_message_move_task(SourceArn=self.dead_arn, **more)["TaskHandle"]

    def last(self):
        return self.sqs.list_message_move_tasks(SourceArn=self.dead_arn)["Results"][0]

    def ended(self):
        while self.last()["Status"] == "RUNNING":
            time.sleep(0.02)
        return self.last()


class MovingDeadLetters(GapCase):
    def test_takes_them_back_to_where_they_came_from(self):
        expected = {
            "Status": "COMPLETED",
            "ApproximateNumberOfMessagesMoved": 3,
            "ApproximateNumberOfMessagesToMove": 3,
        }

        def observe(emulator):
            pair = Pair(emulator, messages=3)
            pair.move()
            ended = pair.ended()
            return subset(ended, expected), "TaskHandle" in ended, pair.count(pair.dead)

        self.assert_closed(observe, (expected, False, 0))

    def test_makes_them_new_messages(self):
        pair = Pair(shared()[0], messages=1, fifo=True)
        died = pair.sqs.receive_message(QueueUrl=pair.dead, VisibilityTimeout=0)["Messages"][0]
        pair.move(DestinationArn=arn(pair.sqs, pair.url))
        pair.ended()
        [again] = pair.receive()
        self.assertEqual(again["Body"], died["Body"])
        self.assertNotEqual(again["MessageId"], died["MessageId"])
        self.assertEqual(again["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertNotIn("DeadLetterQueueSourceArn", again["Attributes"])

    def test_keeps_to_its_rate_and_is_the_only_one(self):
        pair = Pair(shared()[0], messages=3)
        handle = pair.move(MaxNumberOfMessagesPerSecond=1)
        running = pair.last()
        self.assertEqual((running["Status"], running["TaskHandle"]), ("RUNNING", handle))
        self.assertEqual((pair.count(pair.dead), pair.count(pair.url)), (2, 1))
        with self.assertRaisesRegex(ClientError, "already a task running"):
            pair.move()

    def test_can_be_cancelled(self):
        pair = Pair(shared()[0], messages=3)
        cancelled = pair.sqs.cancel_message_move_task(
            TaskHandle=pair.move(MaxNumberOfMessagesPerSecond=1)
        )
        self.assertEqual(cancelled["ApproximateNumberOfMessagesMoved"], 1)
        self.assertEqual((pair.last()["Status"], pair.count(pair.dead)), ("CANCELLED", 2))

    def test_fails_where_nobody_knows_their_source(self):
        pair = Pair(shared()[0], messages=0)
        pair.sqs.send_message(QueueUrl=pair.dead, MessageBody="by hand")
        pair.move()
        ended = pair.ended()
        self.assertEqual(
            (ended["Status"], ended["FailureReason"]), ("FAILED", "CouldNotDetermineMessageSource")
        )

    def test_is_refused_for_other_queues(self):
        pair = Pair(shared()[0], messages=0)
        with self.assertRaisesRegex(ClientError, "configured as a Dead Letter Queue"):
            pair.sqs.start_message_move_task(SourceArn=arn(pair.sqs, pair.url))
        with self.assertRaises(pair.sqs.exceptions.ResourceNotFoundException):
            pair.move(DestinationArn=pair.dead_arn + "-missing")
